//! Who is at the other end: the peer, or the hop that our proxies vouch for.
//!
//! I-12: with N trusted proxies the client is the Nth address from the right of `X-Forwarded-For`;
//! with none the header is not looked at. What a client writes further left is never believed.

use std::net::{IpAddr, SocketAddr};

use axum::http::HeaderMap;

/// The client's address, behind `trusted_proxies` proxies of ours.
#[must_use]
pub fn client_address(headers: &HeaderMap, peer: SocketAddr, trusted_proxies: usize) -> IpAddr {
    let peer = peer.ip().to_canonical();
    if trusted_proxies == 0 {
        return peer;
    }
    // Hops are counted in bytes: one that is no text is a hop all the same, or what a client wrote
    // left of it would move into its place.
    let hops: Vec<&[u8]> = headers
        .get_all("x-forwarded-for")
        .iter()
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
        .collect();
    hops.len()
        .checked_sub(trusted_proxies)
        .and_then(|index| hops.get(index))
        .and_then(|hop| parse(hop))
        .unwrap_or(peer)
}

/// An address, with or without a port.
fn parse(hop: &[u8]) -> Option<IpAddr> {
    let hop = std::str::from_utf8(hop).ok()?.trim();
    hop.parse::<IpAddr>()
        .or_else(|_| hop.parse::<SocketAddr>().map(|address| address.ip()))
        .ok()
        .map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    /// I-12
    #[test]
    fn the_client_is_the_nth_hop_from_the_right() {
        let peer: SocketAddr = "10.0.0.9:4000".parse().unwrap();
        let table: &[(&[&str], usize, &str)] = &[
            (&["6.6.6.6"], 0, "10.0.0.9"),
            (&[], 1, "10.0.0.9"),
            (&["1.2.3.4"], 1, "1.2.3.4"),
            (&["6.6.6.6, 1.2.3.4"], 1, "1.2.3.4"),
            (&["6.6.6.6", "1.2.3.4"], 1, "1.2.3.4"),
            (&["6.6.6.6, 1.2.3.4, 10.0.0.8"], 2, "1.2.3.4"),
            (&["1.2.3.4"], 2, "10.0.0.9"),
            (&["not an address"], 1, "10.0.0.9"),
            (&["1.2.3.4:5555"], 1, "1.2.3.4"),
            (&["::ffff:1.2.3.4"], 1, "1.2.3.4"),
            (&["[2001:db8::1]:443"], 1, "2001:db8::1"),
            // A line that is no text neither hides the hop behind it nor leaves the one before.
            (&["9.9.9.9", "\u{ff}, 1.2.3.4"], 1, "1.2.3.4"),
            (&["9.9.9.9", "\u{ff}"], 1, "10.0.0.9"),
        ];
        for (values, proxies, expected) in table {
            let mut headers = HeaderMap::new();
            for value in *values {
                let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
                headers.append("x-forwarded-for", value);
            }
            let found = client_address(&headers, peer, *proxies);
            assert_eq!(found.to_string(), *expected, "{values:?} behind {proxies}");
        }
    }
}
