//! Values that a fuzzer chooses, and the way back: the bytes that choose a given value.
//!
//! A fuzzer has bytes and no idea of what they mean; [`Arbitrary`] makes a value of them. A corpus should start from
//! values that somebody thought of, so each type here can also return the bytes that choose it ([`Seed`]).

use arbitrary::{Arbitrary, Result, Unstructured};
use std::fmt::{self, Debug};
use std::time::Duration;

/// A value that can be written as the bytes that choose it.
pub(super) trait Seed {
    /// Appends the bytes.
    fn write(&self, out: &mut Vec<u8>);

    /// The bytes, which do choose this value.
    fn seed(&self) -> Vec<u8>
    where
        Self: for<'a> Arbitrary<'a> + PartialEq + Debug,
    {
        let mut out = Vec::new();
        self.write(&mut out);
        assert_eq!(choose::<Self>(&out), *self, "written otherwise than it is chosen");
        out
    }
}

/// The value that the bytes choose; what they leave open is 0. Excess bytes do not matter.
pub(super) fn choose<'a, T: Arbitrary<'a>>(data: &'a [u8]) -> T {
    T::arbitrary(&mut Unstructured::new(data)).expect("there is always a choice")
}

/// Prints the value if the thread panics before this is dropped, because bytes tell nobody what went wrong.
#[derive(Debug)]
pub(super) struct Tell<'a, T: Debug>(pub(super) &'a T);

impl<T: Debug> Drop for Tell<'_, T> {
    #[expect(clippy::print_stderr, reason = "for whoever looks at what a fuzzer has found")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{:#?}", self.0);
        }
    }
}

/// Defines an enum or a struct to choose from, and how its values are written down.
macro_rules! choice {
    ($(#[$meta:meta])* enum $name:ident {
        $( $(#[$doc:meta])* $variant:ident $( ( $($field:ident: $type:ty),+ ) )? ),+ $(,)?
    }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, arbitrary::Arbitrary)]
        pub(in crate::fuzz) enum $name { $( $(#[$doc])* $variant $( ( $($type),+ ) )? ),+ }

        impl $crate::fuzz::choice::Seed for $name {
            fn write(&self, out: &mut Vec<u8>) {
                let names = [$( stringify!($variant) ),+];
                match self {
                    $( Self::$variant $( ( $($field),+ ) )? => {
                        $crate::fuzz::choice::write_variant(out, &names, stringify!($variant));
                        $( $( $field.write(out); )+ )?
                    } ),+
                }
            }
        }
    };
    ($(#[$meta:meta])* struct $name:ident { $( $(#[$doc:meta])* $field:ident: $type:ty ),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, arbitrary::Arbitrary)]
        pub(in crate::fuzz) struct $name { $( $(#[$doc])* pub(in crate::fuzz) $field: $type ),+ }

        impl $crate::fuzz::choice::Seed for $name {
            fn write(&self, out: &mut Vec<u8>) {
                $( self.$field.write(out); )+
            }
        }
    };
}
pub(super) use choice;

/// The derived choice multiplies 32 bits by the number of variants and takes the carry.
pub(super) fn write_variant(out: &mut Vec<u8>, names: &[&str], name: &str) {
    let index = names.iter().position(|other| *other == name).expect("one of them") as u64;
    let chooses = (index << 32).div_ceil(names.len() as u64);
    out.extend((chooses as u32).to_le_bytes());
}

/// Several values, 15 on average if the bytes are random.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Many<T>(pub(super) Vec<T>);

/// Up to 255 bytes.
#[derive(Clone, Default, PartialEq)]
pub(super) struct Blob(pub(super) Vec<u8>);

/// All remaining bytes.
#[derive(Clone, Default, PartialEq)]
pub(super) struct Rest(pub(super) Vec<u8>);

/// A length of time: some milliseconds are as likely as some minutes, and now and then it is zero or for ever.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Span(pub(super) Duration);

impl<'a, T: Arbitrary<'a>> Arbitrary<'a> for Many<T> {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let mut items = Vec::new();
        while !u.is_empty() && u.arbitrary::<u8>()? % 16 != 0 {
            items.push(u.arbitrary()?);
        }
        Ok(Self(items))
    }
}

impl<'a> Arbitrary<'a> for Blob {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let len: u8 = u.arbitrary()?;
        let len = usize::from(len).min(u.len());
        u.bytes(len).map(|bytes| Self(bytes.to_vec()))
    }
}

impl<'a> Arbitrary<'a> for Rest {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        u.bytes(u.len()).map(|bytes| Self(bytes.to_vec()))
    }
}

impl<'a> Arbitrary<'a> for Span {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let (unit, number): (u8, u16) = u.arbitrary()?;
        let number = u64::from(number);
        Ok(Self(match unit % 8 {
            0 => Duration::from_nanos(number),
            1..=3 => Duration::from_millis(number),
            4 | 5 => Duration::from_millis(number * 10),
            6 => Duration::from_secs(number),
            _ => Duration::from_secs(number << 20),
        }))
    }
}

impl Debug for Blob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "b\"{}\"", self.0.escape_ascii())
    }
}

impl Debug for Rest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "b\"{}\"", self.0.escape_ascii())
    }
}

impl<T: Seed> Seed for Many<T> {
    fn write(&self, out: &mut Vec<u8>) {
        for item in &self.0 {
            out.push(1);
            item.write(out);
        }
        out.push(0);
    }
}

impl Seed for Blob {
    fn write(&self, out: &mut Vec<u8>) {
        out.push(u8::try_from(self.0.len()).expect("not longer"));
        out.extend(&self.0);
    }
}

impl Seed for Rest {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend(&self.0);
    }
}

impl Seed for Span {
    fn write(&self, out: &mut Vec<u8>) {
        let millis = u16::try_from(self.0.as_millis());
        let (unit, number) = match millis {
            Ok(millis) => (1, millis),
            Err(_) => (6, u16::try_from(self.0.as_secs()).expect("not longer")),
        };
        out.push(unit);
        number.write(out);
    }
}

impl Seed for bool {
    fn write(&self, out: &mut Vec<u8>) {
        out.push(u8::from(*self));
    }
}

impl<T: Seed> Seed for Option<T> {
    fn write(&self, out: &mut Vec<u8>) {
        self.is_some().write(out);
        if let Some(some) = self {
            some.write(out);
        }
    }
}

macro_rules! numbers {
    ($($number:ty),+) => { $(
        impl Seed for $number {
            fn write(&self, out: &mut Vec<u8>) {
                out.extend(self.to_le_bytes());
            }
        }
    )+ };
}
numbers!(u8, u16, u32, u64);

impl From<&str> for Blob {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl<const N: usize> From<&[u8; N]> for Blob {
    fn from(bytes: &[u8; N]) -> Self {
        Self(bytes.into())
    }
}

/// Milliseconds.
pub(super) const fn ms(millis: u64) -> Span {
    Span(Duration::from_millis(millis))
}
