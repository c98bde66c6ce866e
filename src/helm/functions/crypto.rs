//! Random strings, passwords, keys and certificates, drawn from the seed that the render was given.

use sha2::Digest as _;

use super::{Function, Outcome, Type, int, text};
use crate::helm::failure::{Failure, Limit};
use crate::helm::template::machine::Machine;
use crate::helm::value::{Text, Value};

use Type::{Int, Text as Str, Uint};

mod certificate;
mod der;
mod key;
mod password;

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("bcrypt", &[Str], |machine, a| {
        machine.deterministic = false;
        machine.charge(1_000_000)?;
        let salt = machine.entropy.array();
        Ok(Value::text(password::bcrypt(&text(a, 0), salt)))
    }),
    Function::new("htpasswd", &[Str, Str], |machine, a| {
        machine.deterministic = false;
        machine.charge(1_000_000)?;
        let user = text(a, 0).lossy().into_owned();
        if user.contains(':') {
            return Ok(Value::text(format!("invalid username: {user}")));
        }
        let salt = machine.entropy.array();
        Ok(Value::text(format!("{user}:{}", password::bcrypt(&text(a, 1), salt))))
    }),
    Function::new("derivePassword", &[Uint, Str, Str, Str, Str], |machine, a| {
        machine.charge(5_000_000)?;
        let counter = match a.first() {
            // Go keeps the low half.
            Some(Value::Uint64(counter)) => u32::try_from(counter & u64::from(u32::MAX)).unwrap_or(0),
            _ => 0,
        };
        Ok(Value::text(password::derive(counter, &text(a, 1).lossy(), &text(a, 2), &text(a, 3), &text(a, 4))))
    }),
    Function::new("encryptAES", &[Str, Str], |machine, a| {
        machine.deterministic = false;
        let start = machine.entropy.array();
        Ok(Value::text(password::encrypt(&text(a, 0), &text(a, 1), start)))
    }),
    Function::new("decryptAES", &[Str, Str], |_, a| {
        password::decrypt(&text(a, 0), &text(a, 1)).map(Value::text).map_err(Failure::new)
    }),
    Function::new("genPrivateKey", &[Str], |machine, a| {
        machine.deterministic = false;
        machine.charge(10_000_000)?;
        Ok(Value::text(key::generate(&text(a, 0).lossy(), &mut machine.entropy)))
    }),
    Function::new("genCA", &[Str, Int], |machine, a| certificate::authority(machine, a, None)),
    Function::new("genCAWithKey", &[Str, Int, Str], |machine, a| {
        certificate::authority(machine, a, Some(text(a, 2)))
    }),
    Function::new("genSelfSignedCert", &[Str, Type::List, Type::List, Int], |machine, a| {
        certificate::self_signed(machine, a, None)
    }),
    Function::new("genSelfSignedCertWithKey", &[Str, Type::List, Type::List, Int, Str], |machine, a| {
        certificate::self_signed(machine, a, Some(text(a, 4)))
    }),
    Function::new("genSignedCert", &[Str, Type::List, Type::List, Int, Type::Certificate], |machine, a| {
        certificate::signed(machine, a, None)
    }),
    Function::new(
        "genSignedCertWithKey",
        &[Str, Type::List, Type::List, Int, Type::Certificate, Str],
        |machine, a| certificate::signed(machine, a, Some(text(a, 5))),
    ),
    Function::new("buildCustomCert", &[Str, Str], |_, a| certificate::custom(&text(a, 0), &text(a, 1))),
    Function::new("randAlphaNum", &[Int], |machine, a| random(machine, a, |c| c.is_ascii_alphanumeric())),
    Function::new("randAlpha", &[Int], |machine, a| random(machine, a, |c| c.is_ascii_alphabetic())),
    Function::new("randNumeric", &[Int], |machine, a| random(machine, a, |c| c.is_ascii_digit())),
    Function::new("randAscii", &[Int], |machine, a| random(machine, a, |c| (32..127).contains(&c))),
    Function::new("randBytes", &[Int], |machine, a| {
        machine.deterministic = false;
        let count = count(a)?;
        let bytes: Vec<u8> = (0..count).map(|_| machine.entropy.byte()).collect();
        Ok(Value::text(crate::helm::value::convert::base64_standard(&bytes)))
    }),
    Function::new("randInt", &[Int, Int], |machine, a| {
        machine.deterministic = false;
        let (low, high) = (int(a, 0), int(a, 1));
        let span = high.wrapping_sub(low);
        if span <= 0 {
            return Err("invalid argument to Intn".into());
        }
        let drawn = machine.entropy.number() % span.unsigned_abs();
        Ok(Value::Int(low.wrapping_add(i64::try_from(drawn).unwrap_or(0))))
    }),
    Function::new("uuidv4", &[], |machine, _| {
        machine.deterministic = false;
        let mut bytes: Vec<u8> = (0..16).map(|_| machine.entropy.byte()).collect();
        if let Some(byte) = bytes.get_mut(6) {
            *byte = *byte & 0x0F | 0x40;
        }
        if let Some(byte) = bytes.get_mut(8) {
            *byte = *byte & 0x3F | 0x80;
        }
        let hex = super::encoding::hex(&bytes);
        let part = |from: usize, to: usize| hex.get(from..to).unwrap_or("");
        let uuid =
            format!("{}-{}-{}-{}-{}", part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32));
        Ok(Value::text(uuid))
    }),
    Function::new("shuffle", &[Str], |machine, a| {
        machine.deterministic = false;
        let mut characters: Vec<char> = text(a, 0).lossy().chars().collect();
        for index in (1..characters.len()).rev() {
            let other = machine.entropy.number() % (index as u64 + 1);
            characters.swap(index, usize::try_from(other).unwrap_or(0));
        }
        Ok(Value::text(characters.into_iter().collect::<String>()))
    }),
];

/// A stream of bytes from a seed.
#[derive(Clone, Debug)]
pub(crate) struct Entropy {
    seed: [u8; 32],
    counter: u64,
    block: [u8; 32],
    used: usize,
}

impl Entropy {
    /// The stream of a seed.
    pub(crate) fn new(seed: [u8; 32]) -> Self {
        Self { seed, counter: 0, block: [0; 32], used: 32 }
    }

    fn byte(&mut self) -> u8 {
        if self.used >= self.block.len() {
            let mut hasher = sha2::Sha256::new();
            hasher.update(self.seed);
            hasher.update(self.counter.to_be_bytes());
            self.block = hasher.finalize().into();
            self.counter += 1;
            self.used = 0;
        }
        let byte = self.block.get(self.used).copied().unwrap_or(0);
        self.used += 1;
        byte
    }

    /// A block of bytes.
    fn array<const N: usize>(&mut self) -> [u8; N] {
        std::array::from_fn(|_| self.byte())
    }

    fn number(&mut self) -> u64 {
        (0..8).fold(0, |number, _| number << 8 | u64::from(self.byte()))
    }
}

fn count(arguments: &[Value]) -> Result<usize, Failure> {
    const MOST: usize = 1 << 20;
    match usize::try_from(int(arguments, 0)) {
        Ok(count) if count <= MOST => Ok(count),
        Ok(_) => Err(Failure::limit(Limit::Size, format!("more than {MOST} random characters"))),
        Err(_) => Ok(0),
    }
}

fn random(machine: &mut Machine<'_>, arguments: &[Value], keep: fn(u8) -> bool) -> Outcome {
    machine.deterministic = false;
    let count = count(arguments)?;
    let mut out = Vec::with_capacity(count);
    while out.len() < count {
        let byte = machine.entropy.byte() & 0x7F;
        if keep(byte) {
            out.push(byte);
        }
    }
    Ok(Value::Text(Text::from(out)))
}
