//! Return codes, however they are spelled.

use super::{Word, fold};

/// `RC 12`, `return code 12`, `exit 12`, `código de retorno 12` become one word `rc:12`.
pub(super) fn join_return_codes(raw: Vec<Word>) -> Vec<Word> {
    const BEFORE: [&[&str]; 9] = [
        &["codigo", "de", "retorno"],
        &["codigo", "de", "saida"],
        &["return", "code"],
        &["exit", "code"],
        &["exit", "status"],
        &["codigo", "retorno"],
        &["codigo", "saida"],
        &["rc"],
        &["exit"],
    ];
    let folded: Vec<String> = raw.iter().map(|word| fold(&word.surface)).collect();
    let mut joined = Vec::with_capacity(raw.len());
    let mut words = raw.into_iter();
    let mut at = 0;
    while at < folded.len() {
        let here = folded.get(at..).unwrap_or_default();
        let number = |text: &String| {
            let digits = text.strip_prefix("rc").unwrap_or(text);
            (!digits.is_empty() && digits.len() <= 5 && digits.bytes().all(|b| b.is_ascii_digit()))
                .then(|| digits.trim_start_matches('0').to_owned())
                .map(|code| {
                    if code.is_empty() {
                        "0".to_owned()
                    } else {
                        code
                    }
                })
        };
        let found = BEFORE.iter().find_map(|before| {
            let starts = here.len() > before.len() && here.iter().zip(*before).all(|(a, b)| a == b);
            let code = here.get(before.len()).filter(|_| starts).and_then(number)?;
            Some((before.len() + 1, code))
        });
        let alone = here
            .first()
            .filter(|text| text.starts_with("rc"))
            .and_then(number);
        let (length, code) = match (found, alone) {
            (Some((length, code)), _) => (length, Some(code)),
            (None, Some(code)) => (1, Some(code)),
            (None, None) => (1, None),
        };
        let mut taken: Vec<Word> = words.by_ref().take(length).collect();
        at += length;
        if let Some(code) = code {
            let surface = taken
                .iter()
                .map(|word| word.surface.as_str())
                .collect::<Vec<_>>();
            let surface = surface.join(" ");
            let forms = vec![format!("rc:{code}")];
            let start = taken.first().map_or(0, |word| word.start);
            let end = taken.last().map_or(start, |word| word.end);
            joined.push(Word {
                surface,
                start,
                end,
                forms,
                parts: taken,
                technical: true,
            });
        } else {
            joined.append(&mut taken);
        }
    }
    joined
}
