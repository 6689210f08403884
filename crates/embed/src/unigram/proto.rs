//! As much of the protobuf wire format as a `SentencePiece` model needs. It panics on no input.

/// What a field holds.
#[derive(Debug, PartialEq)]
pub(super) enum Value<'a> {
    Number(u64),
    Fixed(u32),
    /// Bytes, a text or a message.
    Bytes(&'a [u8]),
    /// A 64-bit value, which the model does not use.
    Other,
}

/// Number and value of each field of a message. A `None` ends a message that breaks off or holds
/// what the format lacks.
pub(super) fn fields(mut message: &[u8]) -> impl Iterator<Item = Option<(u64, Value<'_>)>> {
    std::iter::from_fn(move || {
        if message.is_empty() {
            return None;
        }
        let field = field(&mut message);
        if field.is_none() {
            message = &[];
        }
        Some(field)
    })
}

fn field<'a>(message: &mut &'a [u8]) -> Option<(u64, Value<'a>)> {
    let key = varint(message)?;
    let value = match key & 7 {
        0 => Value::Number(varint(message)?),
        1 => {
            take(message, 8)?;
            Value::Other
        }
        2 => {
            let length = usize::try_from(varint(message)?).ok()?;
            Value::Bytes(take(message, length)?)
        }
        5 => Value::Fixed(u32::from_le_bytes(take(message, 4)?.try_into().ok()?)),
        _ => return None,
    };
    Some((key >> 3, value))
}

fn varint(message: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let byte = *take(message, 1)?.first()?;
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(number);
        }
    }
    None
}

fn take<'a>(message: &mut &'a [u8], count: usize) -> Option<&'a [u8]> {
    let (taken, rest) = message.split_at_checked(count)?;
    *message = rest;
    Some(taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of the format's own description: 150 is `96 01`, "testing" is a string.
    #[test]
    fn the_formats_own_examples_are_read() {
        let message = b"\x08\x96\x01\x12\x07testing\x1d\x01\x00\x00\x00";
        let read: Vec<_> = fields(message).map(Option::unwrap).collect();
        let expected = [
            (1, Value::Number(150)),
            (2, Value::Bytes(b"testing")),
            (3, Value::Fixed(1)),
        ];
        assert_eq!(read, expected);
    }

    #[test]
    fn a_message_that_breaks_off_ends_with_an_error() {
        for broken in [&b"\x08"[..], b"\x12\x09testing", b"\x0b", &[0xff; 12]] {
            assert_eq!(fields(broken).collect::<Vec<_>>(), [None], "{broken:?}");
        }
    }
}
