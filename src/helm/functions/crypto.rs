//! Random strings, passwords, keys and certificates, drawn from the seed that the render was given or remembered
//! from an earlier one.

use sha2::Digest as _;

use super::{Function, Outcome, Type, int, text};
use crate::chance::Drawn;
use crate::failure::{Failure, Limit};
use crate::template::machine::Machine;
use crate::value::Value;

use Type::{Int, Text as Str, Uint};

mod certificate;
mod der;
mod key;
mod password;

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("bcrypt", &[Str], |machine, a| {
        machine.charge(1_000_000)?;
        let salt = salt(machine, "bcrypt", a)?;
        Ok(Value::text(password::bcrypt(&text(a, 0), salt)))
    })
    .drawing(),
    Function::new("htpasswd", &[Str, Str], |machine, a| {
        machine.charge(1_000_000)?;
        let user = text(a, 0).lossy().into_owned();
        if user.contains(':') {
            return Ok(Value::text(format!("invalid username: {user}")));
        }
        let salt = salt(machine, "htpasswd", a)?;
        Ok(Value::text(format!("{user}:{}", password::bcrypt(&text(a, 1), salt))))
    })
    .drawing(),
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
        let start = salt(machine, "encryptAES", a)?;
        Ok(Value::text(password::encrypt(&text(a, 0), &text(a, 1), start)))
    })
    .drawing(),
    Function::new("decryptAES", &[Str, Str], |_, a| {
        password::decrypt(&text(a, 0), &text(a, 1)).map(Value::text).map_err(Failure::new)
    }),
    Function::new("genPrivateKey", &[Str], |machine, a| {
        machine.charge(10_000_000)?;
        let kind = text(a, 0);
        if machine.draws.stands_in() && matches!(kind.bytes(), b"" | b"rsa") {
            let certificate = certificate::stand_in();
            return drawn_value(machine, "genPrivateKey", &[], |_| Drawn::Text(certificate.key));
        }
        drawn_value(machine, "genPrivateKey", &[kind.bytes()], |entropy| {
            Drawn::Text(key::generate(&kind.lossy(), entropy))
        })
    })
    .drawing(),
    Function::new("genCA", &[Str, Int], |machine, a| certificate::authority(machine, "genCA", a, None))
        .drawing(),
    Function::new("genCAWithKey", &[Str, Int, Str], |machine, a| {
        certificate::authority(machine, "genCAWithKey", a, Some(text(a, 2)))
    })
    .drawing(),
    Function::new("genSelfSignedCert", &[Str, Type::List, Type::List, Int], |machine, a| {
        certificate::self_signed(machine, "genSelfSignedCert", a, None)
    })
    .drawing(),
    Function::new("genSelfSignedCertWithKey", &[Str, Type::List, Type::List, Int, Str], |machine, a| {
        certificate::self_signed(machine, "genSelfSignedCertWithKey", a, Some(text(a, 4)))
    })
    .drawing(),
    Function::new("genSignedCert", &[Str, Type::List, Type::List, Int, Type::Certificate], |machine, a| {
        certificate::signed(machine, "genSignedCert", a, None)
    })
    .drawing(),
    Function::new(
        "genSignedCertWithKey",
        &[Str, Type::List, Type::List, Int, Type::Certificate, Str],
        |machine, a| certificate::signed(machine, "genSignedCertWithKey", a, Some(text(a, 5))),
    )
    .drawing(),
    Function::new("buildCustomCert", &[Str, Str], |_, a| certificate::custom(&text(a, 0), &text(a, 1))),
    Function::new("randAlphaNum", &[Int], |machine, a| {
        random(machine, "randAlphaNum", a, |byte| byte.is_ascii_alphanumeric())
    })
    .drawing(),
    Function::new("randAlpha", &[Int], |machine, a| {
        random(machine, "randAlpha", a, |byte| byte.is_ascii_alphabetic())
    })
    .drawing(),
    Function::new("randNumeric", &[Int], |machine, a| {
        random(machine, "randNumeric", a, |byte| byte.is_ascii_digit())
    })
    .drawing(),
    Function::new("randAscii", &[Int], |machine, a| {
        random(machine, "randAscii", a, |byte| (32..127).contains(&byte))
    })
    .drawing(),
    Function::new("randBytes", &[Int], rand_bytes).drawing(),
    Function::new("randInt", &[Int, Int], rand_int).drawing(),
    Function::new("uuidv4", &[], uuid).drawing(),
    Function::new("shuffle", &[Str], shuffle).drawing(),
];

/// A value as it is drawn, as a value of templates.
fn drawn_value(
    machine: &mut Machine<'_>,
    function: &'static str,
    arguments: &[&[u8]],
    make: impl FnOnce(&mut Entropy) -> Drawn,
) -> Outcome {
    machine.deterministic = false;
    Ok(match machine.draws.draw(function, arguments, |entropy, _| Ok(make(entropy).into()))? {
        Drawn::Text(text) => Value::text(text),
        Drawn::Number(number) => Value::Int(number),
        // No function of this file that comes here makes another kind; another moorline may have.
        Drawn::Certificate { .. } | Drawn::Time(_) | Drawn::Salt(_) => Value::text(""),
    })
}

/// Bytes for a function that mixes them with its arguments: those stay out of what is remembered, and another
/// argument gives other bytes.
fn salt<const N: usize>(
    machine: &mut Machine<'_>,
    function: &'static str,
    arguments: &[Value],
) -> Result<[u8; N], Failure> {
    machine.deterministic = false;
    let drawn = machine.draws.draw(function, &[], |entropy, _| Ok(Drawn::Salt(entropy.array()).into()))?;
    let mut entropy = match drawn {
        Drawn::Salt(bytes) => Entropy::new(bytes),
        _ => Entropy::new([0; 32]),
    };
    for index in 0..arguments.len() {
        entropy = entropy.mixed(&text(arguments, index));
    }
    Ok(entropy.array())
}

fn rand_bytes(machine: &mut Machine<'_>, arguments: &[Value]) -> Outcome {
    let count = count(arguments)?;
    let stands_in = machine.draws.stands_in();
    drawn_value(machine, "randBytes", &[&count.to_be_bytes()], |entropy| {
        let bytes: Vec<u8> = if stands_in {
            MARK.iter().copied().cycle().take(count).collect()
        } else {
            (0..count).map(|_| entropy.byte()).collect()
        };
        Drawn::Text(crate::value::convert::base64_standard(&bytes))
    })
}

fn rand_int(machine: &mut Machine<'_>, arguments: &[Value]) -> Outcome {
    let (low, high) = (int(arguments, 0), int(arguments, 1));
    let span = high.wrapping_sub(low);
    if span <= 0 {
        return Err("invalid argument to Intn".into());
    }
    drawn_value(machine, "randInt", &[&low.to_be_bytes(), &high.to_be_bytes()], |entropy| {
        let drawn = entropy.number() % span.unsigned_abs();
        Drawn::Number(low.wrapping_add(i64::try_from(drawn).unwrap_or(0)))
    })
}

fn uuid(machine: &mut Machine<'_>, _: &[Value]) -> Outcome {
    let stands_in = machine.draws.stands_in();
    drawn_value(machine, "uuidv4", &[], |entropy| {
        let mut bytes: [u8; 16] = if stands_in { [0; 16] } else { entropy.array() };
        bytes[6] = bytes[6] & 0x0F | 0x40;
        bytes[8] = bytes[8] & 0x3F | 0x80;
        let hex = super::encoding::hex(&bytes);
        let part = |from: usize, to: usize| hex.get(from..to).unwrap_or("");
        Drawn::Text(format!(
            "{}-{}-{}-{}-{}",
            part(0, 8),
            part(8, 12),
            part(12, 16),
            part(16, 20),
            part(20, 32)
        ))
    })
}

/// The order is remembered, not the text: it may be a secret of the values.
fn shuffle(machine: &mut Machine<'_>, arguments: &[Value]) -> Outcome {
    let mut entropy = Entropy::new(salt(machine, "shuffle", arguments)?);
    let mut characters: Vec<char> = text(arguments, 0).lossy().chars().collect();
    for index in (1..characters.len()).rev() {
        let other = entropy.number() % (index as u64 + 1);
        characters.swap(index, usize::try_from(other).unwrap_or(0));
    }
    Ok(Value::text(characters.into_iter().collect::<String>()))
}

/// What stand-ins are made of, as far as the function's alphabet has it.
const MARK: &[u8] = b"standInForRandom0";

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

    /// A stream that depends on this one's seed and on some bytes.
    pub(crate) fn mixed(&self, bytes: &[u8]) -> Self {
        let mut hasher = sha2::Sha256::new();
        hasher.update(self.seed);
        hasher.update(bytes);
        Self::new(hasher.finalize().into())
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

fn random(
    machine: &mut Machine<'_>,
    function: &'static str,
    arguments: &[Value],
    keep: fn(u8) -> bool,
) -> Outcome {
    let count = count(arguments)?;
    let stands_in = machine.draws.stands_in();
    drawn_value(machine, function, &[&count.to_be_bytes()], |entropy| {
        let mut out = String::with_capacity(count);
        if stands_in {
            out.extend(
                MARK.iter().filter(|byte| keep(**byte)).cycle().take(count).map(|byte| char::from(*byte)),
            );
        }
        while out.len() < count {
            let byte = entropy.byte() & 0x7F;
            if keep(byte) {
                out.push(char::from(byte));
            }
        }
        Drawn::Text(out)
    })
}
