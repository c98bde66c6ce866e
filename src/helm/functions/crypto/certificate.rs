//! Certificates: authorities, self-signed and signed ones, as sprig makes them.

use std::sync::OnceLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use num_bigint::BigUint;

use super::Entropy;
use super::der::{bits, identifier, integer, pem, read, read_pem, sequence, tagged, whole};
use super::key::RsaKey;
use crate::chance::{Drawn, Made};
use crate::failure::Failure;
use crate::functions::{Outcome, dates, int, text, value};
use crate::template::machine::Machine;
use crate::value::object::Record;
use crate::value::{Object, Text, Value};

const KEY_BITS: u64 = 2048;
const SHA256_WITH_RSA: [u8; 9] = [0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x0B];
const RSA: [u8; 9] = [0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x01];

/// What goes into a certificate.
struct Request {
    name: String,
    addresses: Vec<Vec<u8>>,
    names: Vec<String>,
    days: i64,
    authority: bool,
}

/// A certificate and its key, as PEM.
pub(super) struct Pair {
    pub(super) cert: String,
    pub(super) key: String,
}

fn certificate(cert: String, key: String) -> Value {
    Value::object(Object::Record(Record {
        type_name: "sprig.certificate",
        pointer: false,
        fields: vec![("Cert", Value::text(cert)), ("Key", Value::text(key))],
        json_names: &[],
        omits_empty: false,
        methods: Vec::new(),
        shown: None,
        plain: None,
    }))
}

fn given_key(given: Option<&Text>) -> Result<Option<RsaKey>, Failure> {
    let read = |text: &Text| {
        RsaKey::from_pem(&text.lossy())
            .map_err(|message| Failure::new(format!("parsing private key: {message}")))
    };
    given.map(read).transpose()
}

/// The certificate that stands in for all others: a real one, so that it can be read and sign, with a name and dates
/// that nobody takes for true.
pub(super) fn stand_in() -> Pair {
    static PAIR: OnceLock<(String, String)> = OnceLock::new();
    let (cert, key) = PAIR.get_or_init(|| {
        let mut entropy = Entropy::new([0; 32]);
        let key = RsaKey::generate(KEY_BITS, &mut entropy);
        let request = Request {
            name: "stand-in, not the certificate that is applied".to_owned(),
            addresses: Vec::new(),
            names: Vec::new(),
            days: 1,
            authority: true,
        };
        (build(&mut entropy, 0, &request, &key, None), key.to_pem())
    });
    Pair { cert: cert.clone(), key: key.clone() }
}

/// Draws a certificate, or gives the remembered one.
fn draw(
    machine: &mut Machine<'_>,
    function: &'static str,
    request: &Request,
    key: Option<&Text>,
    parent: Option<(&Parent, &RsaKey)>,
) -> Outcome {
    machine.deterministic = false;
    machine.charge(2_000_000)?;
    let given = given_key(key)?;
    let stands_in = machine.draws.stands_in();
    let about = format!("{}\0{:?}\0{:?}\0{}", request.name, request.addresses, request.names, request.days);
    let key_text = key.map(|text| text.bytes().to_vec()).unwrap_or_default();
    let signer = parent.map(|(parent, _)| parent.whole.clone()).unwrap_or_default();
    let drawn = machine.draws.draw(function, &[about.as_bytes(), &key_text, &signer], |entropy, now| {
        if stands_in {
            let Pair { cert, key } = stand_in();
            return Ok(Drawn::Certificate { cert, key }.into());
        }
        let key = match given {
            Some(key) => key,
            None => RsaKey::generate(KEY_BITS, entropy),
        };
        let cert = build(entropy, now, request, &key, parent);
        let lasts = request.days.checked_mul(86_400);
        Ok(Made { value: Drawn::Certificate { cert, key: key.to_pem() }, lasts })
    })?;
    Ok(match drawn {
        Drawn::Certificate { cert, key } => certificate(cert, key),
        _ => certificate(String::new(), String::new()),
    })
}

/// `genCA` and `genCAWithKey`.
pub(super) fn authority(
    machine: &mut Machine<'_>,
    function: &'static str,
    arguments: &[Value],
    key: Option<Text>,
) -> Outcome {
    let request = Request {
        name: text(arguments, 0).lossy().into_owned(),
        addresses: Vec::new(),
        names: Vec::new(),
        days: int(arguments, 1),
        authority: true,
    };
    draw(machine, function, &request, key.as_ref(), None)
}

fn request(arguments: &[Value]) -> Result<Request, Failure> {
    Ok(Request {
        name: text(arguments, 0).lossy().into_owned(),
        addresses: addresses(&value(arguments, 1))?,
        names: names(&value(arguments, 2))?,
        days: int(arguments, 3),
        authority: false,
    })
}

/// `genSelfSignedCert` and `genSelfSignedCertWithKey`.
pub(super) fn self_signed(
    machine: &mut Machine<'_>,
    function: &'static str,
    arguments: &[Value],
    key: Option<Text>,
) -> Outcome {
    let request = request(arguments)?;
    draw(machine, function, &request, key.as_ref(), None)
}

/// `genSignedCert` and `genSignedCertWithKey`.
pub(super) fn signed(
    machine: &mut Machine<'_>,
    function: &'static str,
    arguments: &[Value],
    key: Option<Text>,
) -> Outcome {
    let (authority_cert, authority_key) = match value(arguments, 4) {
        Value::Object(object) => match &*object {
            Object::Record(record) => (record.field(b"Cert"), record.field(b"Key")),
            _ => (None, None),
        },
        _ => (None, None),
    };
    let as_text =
        |value: Option<Value>| value.and_then(|value| value.as_text().map(|text| text.lossy().into_owned()));
    let cert_text = as_text(authority_cert).unwrap_or_default();
    let key_text = as_text(authority_key).unwrap_or_default();
    let (_, parent) = read_pem(&cert_text).ok_or_else(|| Failure::new("unable to decode certificate"))?;
    let parent = Parent::read(&parent).ok_or_else(|| {
        Failure::new("error parsing certificate: decodedSignerCert.Bytes: x509: malformed certificate")
    })?;
    let parent_key = RsaKey::from_pem(&key_text).map_err(|message| {
        Failure::new(format!("error parsing private key: decodedSignerKey.Bytes: {message}"))
    })?;
    let request = request(arguments)?;
    draw(machine, function, &request, key.as_ref(), Some((&parent, &parent_key)))
}

/// `buildCustomCert`.
pub(super) fn custom(cert: &Text, key: &Text) -> Outcome {
    let decode = |text: &Text, what: &str| {
        STANDARD
            .decode(text.bytes())
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .map_err(|_| Failure::new(format!("unable to decode base64 {what}")))
    };
    let cert = decode(cert, "certificate")?;
    let key = decode(key, "private key")?;
    let (_, content) = read_pem(&cert).ok_or_else(|| Failure::new("unable to decode certificate"))?;
    if Parent::read(&content).is_none() {
        return Err("error parsing certificate: decodedCert.Bytes: x509: malformed certificate".into());
    }
    Ok(certificate(cert, key))
}

fn addresses(list: &Value) -> Result<Vec<Vec<u8>>, Failure> {
    let mut out = Vec::new();
    for item in list.items().unwrap_or_default() {
        let Some(text) = item.as_text() else {
            let shown = crate::template::format::display(&item, false);
            let shown = String::from_utf8_lossy(&shown).into_owned();
            return Err(Failure::new(format!("error parsing ip: {shown} is not a string")));
        };
        match text.lossy().parse::<std::net::IpAddr>() {
            Ok(std::net::IpAddr::V4(address)) => out.push(address.octets().to_vec()),
            Ok(std::net::IpAddr::V6(address)) => out.push(address.octets().to_vec()),
            Err(_) => return Err(Failure::new(format!("error parsing ip: {}", text.lossy()))),
        }
    }
    Ok(out)
}

fn names(list: &Value) -> Result<Vec<String>, Failure> {
    list.items()
        .unwrap_or_default()
        .iter()
        .map(|item| {
            item.as_text().map(|text| text.lossy().into_owned()).ok_or_else(|| {
                let shown = crate::template::format::display(item, false);
                let shown = String::from_utf8_lossy(&shown).into_owned();
                Failure::new(format!("error processing alternate dns name: {shown} is not a string"))
            })
        })
        .collect()
}

/// What a signed certificate takes from the one above it.
struct Parent {
    whole: Vec<u8>,
    subject: Vec<u8>,
    key_identifier: Vec<u8>,
}

impl Parent {
    fn read(content: &[u8]) -> Option<Self> {
        let (0x30, certificate, _) = read(content)? else {
            return None;
        };
        let (0x30, body, _) = read(certificate)? else {
            return None;
        };
        let mut rest = body;
        if read(rest)?.0 == 0xA0 {
            rest = read(rest)?.2;
        }
        // serial, algorithm, issuer, validity, subject, key
        for _ in 0..4 {
            rest = read(rest)?.2;
        }
        let subject = whole(rest)?.to_vec();
        rest = read(rest)?.2;
        let (_, key, _) = read(rest)?;
        let (_, _, after) = read(key)?;
        let (0x03, bits, _) = read(after)? else {
            return None;
        };
        Some(Self { whole: content.to_vec(), subject, key_identifier: key_identifier(bits.get(1..)?) })
    }
}

/// The truncated digest that names a key.
fn key_identifier(public: &[u8]) -> Vec<u8> {
    use sha2::Digest as _;
    sha2::Sha256::digest(public).get(..20).unwrap_or(&[]).to_vec()
}

fn name(common: &str) -> Vec<u8> {
    if common.is_empty() {
        return sequence(&[]);
    }
    let printable =
        common.bytes().all(|byte| byte.is_ascii_alphanumeric() || b" '()+,-./:=?".contains(&byte));
    let text = tagged(if printable { 0x13 } else { 0x0C }, common.as_bytes());
    let attribute = sequence(&[identifier(&[0x55, 0x04, 0x03]), text]);
    sequence(&[tagged(0x31, &attribute)])
}

fn time(seconds: i64) -> Vec<u8> {
    let text = dates::der_time(seconds);
    if text.starts_with("19") || text.starts_with("20") && text.get(2..4).is_some_and(|year| year < "50") {
        tagged(0x17, text.get(2..).unwrap_or("").as_bytes())
    } else {
        tagged(0x18, text.as_bytes())
    }
}

fn extension(id: &[u8], critical: bool, content: &[u8]) -> Vec<u8> {
    let mut parts = vec![identifier(id)];
    if critical {
        parts.push(tagged(0x01, &[0xFF]));
    }
    parts.push(tagged(0x04, content));
    sequence(&parts)
}

fn extensions(request: &Request, own_key: &[u8], parent: Option<&Parent>) -> Vec<u8> {
    // digitalSignature and keyEncipherment, for authorities also keyCertSign
    let usage = if request.authority { tagged(0x03, &[0x02, 0xA4]) } else { tagged(0x03, &[0x05, 0xA0]) };
    let purpose = |last: u8| identifier(&[0x2B, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, last]);
    let basic = if request.authority { sequence(&[tagged(0x01, &[0xFF])]) } else { sequence(&[]) };
    let mut parts = vec![
        extension(&[0x55, 0x1D, 0x0F], true, &usage),
        extension(&[0x55, 0x1D, 0x25], false, &sequence(&[purpose(1), purpose(2)])),
        extension(&[0x55, 0x1D, 0x13], true, &basic),
    ];
    if request.authority {
        parts.push(extension(&[0x55, 0x1D, 0x0E], false, &tagged(0x04, &key_identifier(own_key))));
    }
    if let Some(parent) = parent {
        let content = sequence(&[tagged(0x80, &parent.key_identifier)]);
        parts.push(extension(&[0x55, 0x1D, 0x23], false, &content));
    }
    let names = request.names.iter().map(|name| tagged(0x82, name.as_bytes()));
    let alternatives: Vec<Vec<u8>> =
        names.chain(request.addresses.iter().map(|address| tagged(0x87, address))).collect();
    if !alternatives.is_empty() {
        parts.push(extension(&[0x55, 0x1D, 0x11], false, &sequence(&alternatives)));
    }
    tagged(0xA3, &sequence(&parts))
}

fn build(
    entropy: &mut Entropy,
    now: i64,
    request: &Request,
    key: &RsaKey,
    parent: Option<(&Parent, &RsaKey)>,
) -> String {
    let serial: [u8; 16] = entropy.array();
    let algorithm = || sequence(&[identifier(&SHA256_WITH_RSA), tagged(0x05, &[])]);
    let subject = name(&request.name);
    let issuer = parent.map_or_else(|| subject.clone(), |(parent, _)| parent.subject.clone());
    let end = now.saturating_add(request.days.saturating_mul(86_400));
    let public = key.public();
    let body = sequence(&[
        tagged(0xA0, &tagged(0x02, &[2])),
        integer(&(BigUint::from_bytes_be(&serial) >> 1_u8)),
        algorithm(),
        issuer,
        sequence(&[time(now), time(end)]),
        subject,
        sequence(&[sequence(&[identifier(&RSA), tagged(0x05, &[])]), bits(&public)]),
        extensions(request, &public, parent.map(|(parent, _)| parent)),
    ]);
    let signature = parent.map_or(key, |(_, key)| key).sign(&body);
    pem("CERTIFICATE", &sequence(&[body, algorithm(), bits(&signature)]))
}
