//! Specimens: a fixed value of any type that serde can read, with every variant of an enum within reach.
//!
//! The value is made by answering whatever a type's `Deserialize` asks for with numbers that count up, so a type that
//! changes changes its specimen, and no variant or field can be forgotten.

use serde::de::value::Error;
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, MapAccess, SeqAccess, VariantAccess, Visitor,
};
use serde::forward_to_deserialize_any;

/// The specimen of `T` that begins to count at `start`.
pub fn specimen<T: DeserializeOwned>(start: usize) -> T {
    made(start, None)
}

/// The specimen of the `index`-th variant of the enum `T`.
pub fn variant<T: DeserializeOwned>(index: usize) -> T {
    made(index, Some(index))
}

fn made<T: DeserializeOwned>(start: usize, variant: Option<usize>) -> T {
    let mut maker = Maker { count: start as u64 * 3, variant, variants: 0 };
    T::deserialize(&mut maker).unwrap_or_else(|error| panic!("no specimen can be made: {error}"))
}

/// How many variants the enum `T` has.
pub fn variants<T: DeserializeOwned>() -> usize {
    let mut maker = Maker { count: 0, variant: Some(usize::MAX), variants: 0 };
    let _ = T::deserialize(&mut maker);
    maker.variants
}

struct Maker {
    /// Counts up with every value.
    count: u64,
    /// The variant of the outermost enum, until it was taken.
    variant: Option<usize>,
    /// How many variants that enum has.
    variants: usize,
}

impl Maker {
    const fn next(&mut self) -> u64 {
        self.count += 1;
        self.count
    }
}

macro_rules! numbers {
    ($($method:ident $visit:ident $number:ty, $factor:literal;)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            let number = self.next().wrapping_mul($factor);
            visitor.$visit(number as $number)
        }
    )*};
}

impl<'de> Deserializer<'de> for &mut Maker {
    type Error = Error;

    fn is_human_readable(&self) -> bool {
        false
    }

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Error> {
        panic!("our words say what they are, so that bincode can read them")
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let odd = self.next() % 2 == 1;
        visitor.visit_bool(odd)
    }

    numbers! {
        deserialize_u8 visit_u8 u8, 1;
        deserialize_u16 visit_u16 u16, 257;
        deserialize_u32 visit_u32 u32, 70_001;
        deserialize_u64 visit_u64 u64, 5_000_000_029;
        deserialize_i32 visit_i32 i32, 70_001;
        deserialize_i64 visit_i64 i64, 5_000_000_029;
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let text = format!("text {}", self.next());
        visitor.visit_string(text)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_string(visitor)
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let number = u128::from(self.next()).wrapping_mul(0x0101_0305_0709_0b0d_1113_1517_191b_1d1f);
        visitor.visit_bytes(&number.to_be_bytes())
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_some(self)
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_seq(Several { maker: self, left: 1 })
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_map(Several { maker: self, left: 1 })
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, length: usize, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_seq(Several { maker: self, left: length })
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_seq(Several { maker: self, left: fields.len() })
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let index = match self.variant.take() {
            Some(wanted) => {
                self.variants = variants.len();
                wanted
            }
            None => self.next() as usize % variants.len().max(1),
        };
        if index >= variants.len() {
            return Err(serde::de::Error::custom(format!("{name} has no variant {index}")));
        }
        visitor.visit_enum(Chosen { maker: self, index: index as u32 })
    }

    forward_to_deserialize_any! {
        i8 i16 i128 u128 f32 f64 char byte_buf unit_struct tuple_struct identifier ignored_any
    }
}

/// So many values that are left.
struct Several<'m> {
    maker: &'m mut Maker,
    left: usize,
}

impl<'de> SeqAccess<'de> for Several<'_> {
    type Error = Error;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Error> {
        let Some(left) = self.left.checked_sub(1) else { return Ok(None) };
        self.left = left;
        seed.deserialize(&mut *self.maker).map(Some)
    }
}

impl<'de> MapAccess<'de> for Several<'_> {
    type Error = Error;

    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Error> {
        self.next_element_seed(seed)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Error> {
        seed.deserialize(&mut *self.maker)
    }
}

/// A variant that was chosen.
struct Chosen<'m> {
    maker: &'m mut Maker,
    index: u32,
}

impl<'de, 'm> EnumAccess<'de> for Chosen<'m> {
    type Error = Error;
    type Variant = &'m mut Maker;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, &'m mut Maker), Error> {
        let index = serde::de::value::U32Deserializer::<Error>::new(self.index);
        Ok((seed.deserialize(index)?, self.maker))
    }
}

impl<'de> VariantAccess<'de> for &mut Maker {
    type Error = Error;

    fn unit_variant(self) -> Result<(), Error> {
        Ok(())
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, Error> {
        seed.deserialize(self)
    }

    fn tuple_variant<V: Visitor<'de>>(self, length: usize, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_seq(Several { maker: self, left: length })
    }

    fn struct_variant<V: Visitor<'de>>(self, fields: &'static [&'static str], visitor: V) -> Result<V::Value, Error> {
        visitor.visit_seq(Several { maker: self, left: fields.len() })
    }
}
