//! The checksum at the end of a JSON object: `,"check":"1b2c3d4e"}`, the CRC-32C of all bytes before the comma.
//!
//! Packs and blobs are known by their hashes. Of these objects nobody knows what they should be: a wrong digit in `cluster.json`
//! would be another place to begin at.

const HEAD: &[u8] = br#","check":""#;
const TAIL: &[u8] = br#""}"#;
const DIGITS: usize = 8;
const LEN: usize = HEAD.len() + DIGITS + TAIL.len();

/// Puts the checksum into an object that has fields.
pub(super) fn add(json: &mut Vec<u8>) {
    json.pop();
    let check = digits(json);
    [HEAD, check.as_bytes(), TAIL].into_iter().for_each(|part| json.extend_from_slice(part));
}

/// False if the object has a checksum, and another one would be right. One that has none is as earlier versions wrote it, or was
/// damaged there, and only there.
pub(super) fn holds(json: &[u8]) -> bool {
    let Some((before, end)) = json.len().checked_sub(LEN).and_then(|at| json.split_at_checked(at)) else {
        return true;
    };
    let check = end.strip_prefix(HEAD).and_then(|rest| rest.strip_suffix(TAIL));
    check.is_none_or(|check| check == digits(before).as_bytes())
}

fn digits(bytes: &[u8]) -> String {
    format!("{:08x}", crc32c::crc32c(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_changed_byte_goes_unnoticed_before_the_checksum() {
        let mut json = br#"{"format":1,"n":7}"#.to_vec();
        assert!(holds(&json));
        add(&mut json);
        assert!(holds(&json) && serde_json::from_slice::<serde_json::Value>(&json).unwrap()["n"] == 7);
        for at in 0..json.len() - LEN {
            for bit in 0..8 {
                let mut changed = json.clone();
                changed[at] ^= 1 << bit;
                assert!(!holds(&changed), "byte {at}, bit {bit}");
            }
        }
        assert!(holds(b"") && holds(b"{}"));
    }
}
