//! Who is at the other end: the peer, or the hop that our proxies vouch for.
//!
//! I-12: with N trusted proxies the client is the Nth address from the right of `X-Forwarded-For`;
//! with none the header is not looked at. What a client writes further left is never believed, and a
//! client that comes past the proxies is believed nothing (A9).

use std::net::{IpAddr, SocketAddr};

use axum::http::HeaderMap;
use ipnet::IpNet;

/// The proxies of ours that stand in front.
#[derive(Debug, Clone, Default)]
pub struct Proxies {
    /// How many of them a request passes; with none the header is not looked at.
    pub hops: usize,
    /// From where the last of them connects; the header of anybody else is not looked at. Empty takes
    /// whoever connects for it, which holds only where nobody else can.
    pub addresses: Vec<IpNet>,
}

impl Proxies {
    /// The client's address.
    #[must_use]
    pub fn client(&self, headers: &HeaderMap, peer: SocketAddr) -> IpAddr {
        let peer = peer.ip().to_canonical();
        if self.hops == 0 || !self.speak_from(peer) {
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
            .checked_sub(self.hops)
            .and_then(|index| hops.get(index))
            .and_then(|hop| parse(hop))
            .unwrap_or(peer)
    }

    fn speak_from(&self, peer: IpAddr) -> bool {
        self.addresses.is_empty() || self.addresses.iter().any(|net| net.contains(&peer))
    }
}

/// One address, or a network such as `10.0.0.0/8`; `None` for any other text.
#[must_use]
pub fn network(text: &str) -> Option<IpNet> {
    let one = text.parse::<IpAddr>().ok();
    one.map(|address| IpNet::from(address.to_canonical()))
        .or_else(|| text.parse().ok())
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
            let proxies = Proxies {
                hops: *proxies,
                addresses: Vec::new(),
            };
            let found = proxies.client(&headers, peer);
            assert_eq!(
                found.to_string(),
                *expected,
                "{values:?} behind {proxies:?}"
            );
        }
    }

    /// A9
    #[test]
    fn a_header_is_believed_from_our_proxies_alone() {
        let proxies = |list: &[&str]| Proxies {
            hops: 1,
            addresses: list.iter().filter_map(|text| network(text)).collect(),
        };
        let mut headers = HeaderMap::new();
        headers.insert("x-forwarded-for", HeaderValue::from_static("6.6.6.6"));
        headers.insert("forwarded", HeaderValue::from_static("for=7.7.7.7"));
        headers.insert("x-real-ip", HeaderValue::from_static("8.8.8.8"));
        let ours = [
            "10.0.0.9",
            "10.1.0.0/16",
            "2001:db8::/32",
            "::ffff:10.2.0.1",
        ];
        for (peer, believed) in [
            ("10.0.0.9:1", true),
            ("10.1.200.3:1", true),
            ("[2001:db8::7]:1", true),
            ("[::ffff:10.0.0.9]:1", true),
            ("10.2.0.1:1", true),
            ("10.0.0.8:1", false),
            ("10.2.0.2:1", false),
            ("[2001:db9::7]:1", false),
            ("127.0.0.1:1", false),
        ] {
            let peer: SocketAddr = peer.parse().unwrap();
            let found = proxies(&ours).client(&headers, peer);
            let expected = if believed {
                "6.6.6.6".to_owned()
            } else {
                peer.ip().to_canonical().to_string()
            };
            assert_eq!(found.to_string(), expected, "{peer}");
        }
        for wrong in ["", "proxy", "10.0.0.0/33", "10.0.0.9:80", "10.0.0"] {
            assert!(network(wrong).is_none(), "{wrong}");
        }
    }
}
