//! Names and identities from a seed: equal seeds and equal requests make equal clusters.

/// A source of identities (splitmix64, which is enough for names).
#[derive(Clone, Debug)]
pub struct Ids {
    state: u64,
}

/// Letters and digits that kube-apiserver ends generated names with.
const LETTERS: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";

impl Ids {
    /// A source that a seed determines.
    pub fn new(seed: u64) -> Ids {
        Ids { state: seed }
    }

    /// The next 64 bits.
    pub fn draw(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `limit`; 0 if that is 0.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.draw().checked_rem(limit).unwrap_or_default()
    }

    /// A random UUID.
    pub fn uid(&mut self) -> String {
        let (high, low) = (self.draw(), self.draw());
        format!(
            "{:08x}-{:04x}-4{:03x}-{:x}{:03x}-{:012x}",
            high >> 32,
            (high >> 16) & 0xffff,
            high & 0xfff,
            8 + (low >> 62),
            (low >> 48) & 0xfff,
            low & 0xffff_ffff_ffff
        )
    }

    /// The end of a generated name.
    pub fn suffix(&mut self, length: usize) -> String {
        (0..length).map(|_| letter(self.draw())).collect()
    }
}

fn letter(number: u64) -> char {
    let index = usize::try_from(number % 27).unwrap_or_default();
    LETTERS.get(index).copied().map_or('b', char::from)
}

/// A number as controllers write hashes into names: each decimal digit stands for a letter.
pub fn encoded(number: u32) -> String {
    number.to_string().bytes().map(|byte| letter(u64::from(byte))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_seeds_make_equal_ids() {
        let (mut one, mut two) = (Ids::new(7), Ids::new(7));
        let uid = one.uid();
        assert_eq!(uid, two.uid());
        assert_ne!(uid, Ids::new(8).uid());
        assert_eq!((uid.len(), &uid[14..15]), (36, "4"));
        assert_eq!(one.suffix(5).len(), 5);
    }
}
