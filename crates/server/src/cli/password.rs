//! A new password from a person or a program, and never from the arguments, which others can read.

use std::io::{self, IsTerminal as _, Read};

use resync_kernel::{ExposeSecret, SecretString};

use super::output::{FAILURE, Failure, USAGE};

/// Bytes of stdin that are looked at; a longer password is refused anyway.
const MOST: usize = 1024;

/// Reads a new password: the one line of stdin, or typed twice at a terminal that does not show it.
pub(super) fn read_new(from_stdin: bool) -> Result<SecretString, Failure> {
    if from_stdin {
        return only_line(io::stdin().lock());
    }
    if !io::stdin().is_terminal() {
        return Err(Failure::new(
            USAGE,
            "there is no terminal to ask at; send the password with --password-stdin",
        ));
    }
    let first = typed("New password: ")?;
    let again = typed("The same again: ")?;
    if first.expose_secret() == again.expose_secret() {
        Ok(first)
    } else {
        Err(Failure::new(USAGE, "the two passwords differ"))
    }
}

fn typed(prompt: &str) -> Result<SecretString, Failure> {
    let typed = rpassword::prompt_password(prompt);
    let typed = typed
        .map_err(|error| Failure::new(FAILURE, format!("the password cannot be read: {error}")))?;
    Ok(typed.into())
}

/// The line that `input` holds, without its end.
fn only_line(input: impl Read) -> Result<SecretString, Failure> {
    let mut text = String::new();
    let limit = u64::try_from(MOST).unwrap_or(u64::MAX) + 1;
    let read = input.take(limit).read_to_string(&mut text);
    read.map_err(|error| Failure::new(FAILURE, format!("stdin cannot be read: {error}")))?;
    let line = text.strip_suffix('\n').unwrap_or(&text);
    let line = line.strip_suffix('\r').unwrap_or(line);
    if text.len() > MOST || line.contains(['\n', '\r']) {
        return Err(Failure::new(
            USAGE,
            "stdin has to hold the password in one line and nothing else",
        ));
    }
    if line.is_empty() {
        return Err(Failure::new(USAGE, "stdin holds no password"));
    }
    Ok(line.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stdin_holds_one_line_however_it_ends() {
        let read =
            |text: &str| only_line(text.as_bytes()).map(|read| read.expose_secret().to_owned());
        for text in ["seven otters ", "seven otters \n", "seven otters \r\n"] {
            assert_eq!(
                read(text).unwrap(),
                "seven otters ",
                "spaces are the password's own"
            );
        }
        for text in ["", "\n", "\r\n", "one\ntwo\n", "one\n\n", &"x".repeat(1025)] {
            assert_eq!(read(text).unwrap_err().code, USAGE, "{text:?}");
        }
        assert_eq!(only_line(&[0xff_u8][..]).unwrap_err().code, FAILURE);
    }
}
