//! Writes the corpus: `cargo run -p millrace-benches --example make_corpus`. The same files each time.
//!
//! The orders look like a shop's: every line another product, names of people's length with the letters that real
//! catalogues have, few pieces of most things, prices that end in 9 or 5, ids as the platform draws them.

use std::error::Error;
use std::path::Path;
use std::{fs, iter};

use millrace_benches::json::{Money, Order, OrderEvent, OrderLine, OrderState};

#[rustfmt::skip]
const MAKERS: [&str; 24] = [
    "Alder & Finch", "Bodega Norte", "Brünn", "Café Lumière", "Cordwain", "Drei Linden", "Eastlake", "Fjällvind",
    "Greyfriars", "Hachimitsu", "Iron Gull", "Jolie Pêche", "Kestrel Works", "Lindqvist", "Marlowe", "Nórdica",
    "Oakridge", "Pellegrin", "Quillon", "Rookery", "São Telmo", "Thistledown", "Umbra", "Wexcombe",
];
/// Kinds of goods, with the variants in which such goods are sold.
#[rustfmt::skip]
const SHELVES: [(&[&str], &[&str]); 5] = [
    (
        &["Cotton T-Shirt", "Linen Apron", "Merino Scarf", "Rain Jacket", "Wool Cardigan", "Fleece Vest", "Pyjamas"],
        &["Black, Size S", "Black, Size L", "Natural, Size M", "Forest Green, Size M", "Midnight Blue, Size XL", "Rosé, Size S"],
    ),
    (
        &["Hiking Socks", "Running Shoes", "House Slippers", "Rubber Boots"],
        &["EU 36", "EU 38", "EU 40", "EU 42", "EU 44", "EU 46"],
    ),
    (
        &["Almond Biscotti", "Coffee Beans", "Olive Oil", "Wildflower Honey", "Green Tea", "Sea Salt", "Dark Chocolate"],
        &["100 g", "250 g", "500 g", "1 kg", "Organic, 250 g", "Organic, 500 g"],
    ),
    (
        &["Bath Towel", "Picture Frame", "Table Runner", "Wool Blanket", "Yoga Mat", "Queen-Size Duvet", "Cushion Cover"],
        &["30 × 40 cm", "40 × 40 cm", "70 × 140 cm", "Terracotta", "Natural", "Set of 2"],
    ),
    (
        &["Bluetooth Speaker", "Bread Knife", "Ceramic Mug", "Cast Iron Skillet", "Desk Lamp", "Fountain Pen", "Wall Clock",
          "Garden Trowel", "Insulated Bottle", "Jigsaw Puzzle", "Kitchen Scale", "Notebook", "Soap Bar", "USB-C Cable"],
        &["", "", "", "Black", "White", "Set of 2", "Limited Edition", "Refurbished"],
    ),
];
const ENDINGS: [i64; 6] = [99, 95, 90, 50, 49, 0];
const STATES: [OrderState; 5] = [
    OrderState::Placed,
    OrderState::Authorized,
    OrderState::Reserved,
    OrderState::Captured,
    OrderState::Completed,
];

fn main() -> Result<(), Box<dyn Error>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    for (lines, states) in [(1, 3), (10, 5), (100, 5)] {
        let order = order(&mut Dice(lines as u64), lines, states);
        let mut text = serde_json::to_string_pretty(&order)?;
        text.push('\n');
        fs::write(folder.join(format!("order-{lines}.json")), text)?;
    }
    Ok(())
}

/// Numbers that look random and are the same in each run (SplitMix64).
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        bits ^ (bits >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.roll() % end
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len() as u64) as usize]
    }

    fn letters(&mut self, count: usize) -> String {
        let letter = |_| char::from(self.pick(b"0123456789abcdefghijkmnpqrstuvwxyz"));
        (0..count).map(letter).collect()
    }
}

fn order(dice: &mut Dice, line_count: usize, states: usize) -> Order {
    let name = format!("users/{}/orders/{}", dice.roll() >> 2, dice.roll() >> 4);
    let lines: Vec<_> = iter::repeat_with(|| line(dice)).take(line_count).collect();
    let total = lines
        .iter()
        .map(|line| i64::from(line.quantity) * line.unit_price.minor_units)
        .sum();
    let first = dice.below(3_000) as i32;
    let times = times(dice, states);
    let event = |(index, time): (usize, &String)| OrderEvent {
        number: first + index as i32,
        order: name.clone(),
        state: STATES[index],
        time: time.clone(),
    };
    Order {
        state: STATES[states - 1],
        lines,
        total: euros(total),
        create_time: times[0].clone(),
        update_time: times[states - 1].clone(),
        etag: dice.letters(16),
        events: times.iter().enumerate().map(event).collect(),
        name,
    }
}

fn line(dice: &mut Dice) -> OrderLine {
    let (kinds, variants) = dice.pick(&SHELVES);
    let (maker, kind, variant) = (dice.pick(&MAKERS), dice.pick(kinds), dice.pick(variants));
    let comma = if variant.is_empty() { "" } else { ", " };
    // Most prices are small, some are not.
    let scale = 2 + dice.below(7);
    let whole = 2 + dice.below(1 << scale) as i64;
    let quantity = match dice.below(10) {
        0..=5 => 1,
        6..=7 => 2,
        8 => 3 + dice.below(4),
        _ => 6 + dice.below(60),
    };
    OrderLine {
        product: format!("products/{}-{}", kind.to_lowercase().replace(' ', "-"), dice.letters(6)),
        quantity: quantity as i32,
        unit_price: euros(whole * 100 + dice.pick(&ENDINGS)),
        display_name: format!("{maker} {kind}{comma}{variant}"),
    }
}

fn euros(minor_units: i64) -> Money {
    Money {
        currency_code: "EUR".into(),
        minor_units,
    }
}

/// Rising times within one minute, to the microsecond.
fn times(dice: &mut Dice, count: usize) -> Vec<String> {
    let (day, hour, minute) = (1 + dice.below(24), dice.below(24), dice.below(60));
    let moment = |second: usize| {
        let micros = 1 + dice.below(999_999);
        format!("2026-11-{day:02}T{hour:02}:{minute:02}:{:02}.{micros:06}Z", second * 7)
    };
    (0..count).map(moment).collect()
}
