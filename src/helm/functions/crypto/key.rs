//! Private keys: RSA, P-256 and Ed25519, made from a seed and written as PEM.

use num_bigint::BigUint;
use sha2::Digest as _;

use super::Entropy;
use super::der::{identifier, integer, pem, read, read_pem, sequence, tagged};

/// An RSA key.
#[derive(Clone, Debug)]
pub(super) struct RsaKey {
    pub(super) modulus: BigUint,
    exponent: BigUint,
    private: BigUint,
    primes: (BigUint, BigUint),
}

/// Candidates that a prime below this divides are not tested further.
const SIEVE: u32 = 1 << 16;
/// Rounds of the test of a candidate: FIPS 186-5, table B.1, asks for 5 where both primes have 1,024 bits.
const ROUNDS: usize = 8;

/// The largest key that is read: work grows with the cube of its length.
const MOST_BITS: u64 = 16_384;

/// The odd primes below [`SIEVE`], by Eratosthenes.
fn small_primes() -> Vec<u32> {
    let mut composite = vec![false; SIEVE as usize];
    let mut primes = Vec::new();
    for number in (3..SIEVE).step_by(2) {
        if composite.get(number as usize) == Some(&true) {
            continue;
        }
        primes.push(number);
        for multiple in (number as usize..).step_by(number as usize).skip(1) {
            match composite.get_mut(multiple) {
                Some(flag) => *flag = true,
                None => break,
            }
        }
    }
    primes
}

fn random(entropy: &mut Entropy, bits: u64) -> BigUint {
    let bytes: Vec<u8> = (0..bits / 8).map(|_| entropy.byte()).collect();
    BigUint::from_bytes_be(&bytes)
}

/// A random prime of so many bits, the two highest set.
fn prime(entropy: &mut Entropy, bits: u64, small: &[u32]) -> BigUint {
    loop {
        let mut candidate = random(entropy, bits);
        candidate.set_bit(bits - 1, true);
        candidate.set_bit(bits - 2, true);
        candidate.set_bit(0, true);
        let remainders: Vec<u32> =
            small.iter().map(|prime| (&candidate % *prime).iter_u32_digits().next().unwrap_or(0)).collect();
        // Walk upwards from a random start, sieving by the small primes.
        for step in (0..4_096_u32).step_by(2) {
            if small.iter().zip(&remainders).any(|(prime, remainder)| (remainder + step) % prime == 0) {
                continue;
            }
            let number = &candidate + step;
            if number.bits() == bits && is_prime(&number, entropy) {
                return number;
            }
        }
    }
}

/// Miller and Rabin's test.
fn is_prime(number: &BigUint, entropy: &mut Entropy) -> bool {
    let one = BigUint::from(1_u8);
    let before = number - &one;
    let Some(twos) = before.trailing_zeros() else {
        return false;
    };
    let odd = &before >> twos;
    for round in 0..ROUNDS {
        let base = if round == 0 { BigUint::from(2_u8) } else { random(entropy, 256) + 2_u8 };
        let mut power = base.modpow(&odd, number);
        if power == one || power == before {
            continue;
        }
        let mut composite = true;
        for _ in 1..twos {
            power = &power * &power % number;
            if power == before {
                composite = false;
                break;
            }
        }
        if composite {
            return false;
        }
    }
    true
}

impl RsaKey {
    /// Makes a key.
    pub(super) fn generate(bits: u64, entropy: &mut Entropy) -> Self {
        let small = small_primes();
        let exponent = BigUint::from(65_537_u32);
        let one = BigUint::from(1_u8);
        loop {
            let (p, q) = (prime(entropy, bits / 2, &small), prime(entropy, bits / 2, &small));
            let totient = (&p - &one) * (&q - &one);
            if p == q {
                continue;
            }
            if let Some(private) = exponent.modinv(&totient) {
                return Self { modulus: &p * &q, exponent, private, primes: (p, q) };
            }
        }
    }

    /// The key in PKCS#1 form.
    pub(super) fn to_pem(&self) -> String {
        let (p, q) = &self.primes;
        let one = BigUint::from(1_u8);
        let before = |prime: &BigUint| &self.private % (prime - &one);
        let rest = [before(p), before(q), q.modinv(p).unwrap_or_default()];
        self.pem_of(&rest)
    }

    /// The PEM text with the three numbers that follow from the others.
    fn pem_of(&self, rest: &[BigUint; 3]) -> String {
        let (p, q) = &self.primes;
        let content = sequence(&[
            integer(&BigUint::default()),
            integer(&self.modulus),
            integer(&self.exponent),
            integer(&self.private),
            integer(p),
            integer(q),
            integer(&rest[0]),
            integer(&rest[1]),
            integer(&rest[2]),
        ]);
        pem("RSA PRIVATE KEY", &content)
    }

    /// Reads a PEM key, in PKCS#1 or PKCS#8 form; the error is a message.
    pub(super) fn from_pem(text: &str) -> Result<Self, String> {
        let (label, content) = read_pem(text).ok_or("no PEM data in input")?;
        let content = match label.as_str() {
            "RSA PRIVATE KEY" => content,
            "PRIVATE KEY" => unwrap_pkcs8(&content).ok_or("decoding PEM as PKCS#8: malformed key")?,
            _ => return Err(format!("no private key data in PEM block of type {label}")),
        };
        Self::from_pkcs1(&content).ok_or_else(|| "parsing RSA private key from PEM: malformed key".to_owned())
    }

    fn from_pkcs1(content: &[u8]) -> Option<Self> {
        let (0x30, mut rest, _) = read(content)? else {
            return None;
        };
        let mut numbers = Vec::new();
        while !rest.is_empty() && numbers.len() < 6 {
            let (0x02, number, after) = read(rest)? else {
                return None;
            };
            numbers.push(BigUint::from_bytes_be(number));
            rest = after;
        }
        let [_, modulus, exponent, private, p, q] = <[BigUint; 6]>::try_from(numbers).ok()?;
        let one = BigUint::from(1_u8);
        // Keys come from values: what follows divides by each prime and by the number before it.
        let sound = modulus.bits() <= MOST_BITS && p > one && q > one && &p * &q == modulus;
        sound.then_some(Self { modulus, exponent, private, primes: (p, q) })
    }

    /// The public half as certificates carry it.
    pub(super) fn public(&self) -> Vec<u8> {
        sequence(&[integer(&self.modulus), integer(&self.exponent)])
    }

    /// A number to the power of the private exponent, by way of both primes, which is a quarter of the work.
    fn power(&self, number: &BigUint) -> BigUint {
        let (p, q) = &self.primes;
        let one = BigUint::from(1_u8);
        let Some(inverse) = q.modinv(p) else {
            return number.modpow(&self.private, &self.modulus);
        };
        let below = |prime: &BigUint| number.modpow(&(&self.private % (prime - &one)), prime);
        let (of_p, of_q) = (below(p), below(q));
        let difference = (of_p + p - &of_q % p) % p;
        of_q + (inverse * difference % p) * q
    }

    /// The PKCS#1 v1.5 signature over the SHA-256 of a message.
    pub(super) fn sign(&self, message: &[u8]) -> Vec<u8> {
        const SHA256: [u8; 9] = [0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01];
        let digest = sha2::Sha256::digest(message);
        let info = sequence(&[sequence(&[identifier(&SHA256), tagged(0x05, &[])]), tagged(0x04, &digest)]);
        let size = usize::try_from(self.modulus.bits().div_ceil(8)).unwrap_or(256);
        let mut padded = vec![0x00, 0x01];
        padded.resize(size.saturating_sub(info.len() + 1).max(2), 0xFF);
        padded.push(0x00);
        padded.extend_from_slice(&info);
        let signed = self.power(&BigUint::from_bytes_be(&padded)).to_bytes_be();
        let mut out = vec![0; size.saturating_sub(signed.len())];
        out.extend_from_slice(&signed);
        out
    }
}

fn unwrap_pkcs8(content: &[u8]) -> Option<Vec<u8>> {
    let (_, inner, _) = read(content)?;
    let (_, _, rest) = read(inner)?;
    let (_, _, rest) = read(rest)?;
    let (0x04, key, _) = read(rest)? else { return None };
    Some(key.to_vec())
}

/// `genPrivateKey`.
pub(super) fn generate(kind: &str, entropy: &mut Entropy) -> String {
    match kind {
        "" | "rsa" => RsaKey::generate(4096, entropy).to_pem(),
        "ecdsa" => curve_pem(&curve_secret(entropy)),
        "ed25519" => {
            const ED25519: [u8; 3] = [0x2B, 0x65, 0x70];
            let seed: [u8; 32] = entropy.array();
            let content = sequence(&[
                integer(&BigUint::default()),
                sequence(&[identifier(&ED25519)]),
                tagged(0x04, &tagged(0x04, &seed)),
            ]);
            pem("PRIVATE KEY", &content)
        }
        "dsa" => "failed to generate private key: dsa keys are not supported".to_owned(),
        other => format!("Unknown type {other}"),
    }
}

/// A random number that can be a key on P-256: one in four thousand million is not below the order of the curve.
fn curve_secret(entropy: &mut Entropy) -> p256::SecretKey {
    loop {
        if let Ok(secret) = p256::SecretKey::from_slice(&entropy.array::<32>()) {
            return secret;
        }
    }
}

/// A key on P-256 in SEC 1 form.
fn curve_pem(secret: &p256::SecretKey) -> String {
    const CURVE: [u8; 8] = [0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07];
    let content = sequence(&[
        integer(&BigUint::from(1_u8)),
        tagged(0x04, &secret.to_bytes()),
        tagged(0xA0, &identifier(&CURVE)),
        tagged(0xA1, &super::der::bits(&secret.public_key().to_sec1_bytes())),
    ]);
    pem("EC PRIVATE KEY", &content)
}

#[cfg(test)]
mod tests {
    use super::super::der::{read, read_pem};
    use super::{BigUint, RsaKey, curve_pem};
    use crate::functions::Entropy;

    #[test]
    fn signatures_verify_and_keys_read_back() {
        let key = RsaKey::generate(1024, &mut Entropy::new([7; 32]));
        let signature = BigUint::from_bytes_be(&key.sign(b"message"));
        let opened = signature.modpow(&BigUint::from(65_537_u32), &key.modulus).to_bytes_be();
        assert_eq!(opened.get(..3), Some(&[1, 0xFF, 0xFF][..]));
        let again = RsaKey::from_pem(&key.to_pem()).expect("a key");
        assert_eq!(again.modulus, key.modulus);
    }

    #[test]
    fn keys_that_cannot_be_are_refused() {
        let key = RsaKey::generate(1024, &mut Entropy::new([7; 32]));
        let none = BigUint::default();
        let rest = [none.clone(), none.clone(), none.clone()];
        let with = |modulus: &BigUint, p: &BigUint, q: &BigUint| RsaKey {
            modulus: modulus.clone(),
            primes: (p.clone(), q.clone()),
            ..key.clone()
        };
        let (p, q) = &key.primes;
        for wrong in [with(&none, p, q), with(p, p, &BigUint::from(1_u8)), with(&key.modulus, q, q)] {
            assert!(RsaKey::from_pem(&wrong.pem_of(&rest)).is_err());
        }
        assert!(RsaKey::from_pem(&key.pem_of(&rest)).is_ok());
    }

    #[test]
    fn twice_the_base_point() {
        let two: [u8; 32] = std::array::from_fn(|place| if place == 31 { 2 } else { 0 });
        let text = curve_pem(&p256::SecretKey::from_slice(&two).expect("a number below the order"));
        let (label, content) = read_pem(&text).expect("a PEM block");
        let (_, inner, _) = read(&content).expect("a sequence");
        let (_, _, rest) = read(inner).expect("the version");
        let (_, secret, rest) = read(rest).expect("the secret");
        let (_, _, rest) = read(rest).expect("the curve");
        let (_, point, _) = read(rest).expect("the point");
        assert_eq!((label.as_str(), secret), ("EC PRIVATE KEY", two.as_slice()));
        // A bit string of 65 bytes, of which the first says that both coordinates follow.
        assert_eq!((point.len(), point.get(..4)), (68, Some(&[0x03, 0x42, 0x00, 0x04][..])));
        let x = BigUint::from_bytes_be(point.get(4..36).expect("32 bytes"));
        assert_eq!(x.to_str_radix(16), "7cf27b188d034f7e8a52380304b51ac3c08969e277f21b35a60b48fc47669978");
    }
}
