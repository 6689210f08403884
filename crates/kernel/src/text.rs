//! What can be in a text without being seen.

/// Whether a character changes how a line reads without being seen: controls, zero-width characters,
/// direction marks and overrides, line and paragraph separators.
///
/// ```
/// assert!(resync_kernel::is_hidden('\u{202e}') && resync_kernel::is_hidden('\n'));
/// assert!(!resync_kernel::is_hidden('ã') && !resync_kernel::is_hidden(' '));
/// ```
#[must_use]
pub fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}
