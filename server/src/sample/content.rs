//! What the sample data of a seed is. Pure.

use millrace_chassis::clock::Clock;
use millrace_chassis::id::Ids;
use millrace_proto::catalog::v1::Product;

use super::SHOPPER_EMAIL;
use super::entropy::Seeded;
use crate::identity::ImportedUser;
use crate::money;
use crate::ordering::{ImportedLine, ImportedOrder};

/// When the first sample order was placed: 2026-01-05 08:00 UTC.
pub(super) const BEGIN_US: i64 = 1_767_600_000_000_000;
const MINUTE_US: i64 = 60 * 1_000_000;
const USERS: usize = 40;
const SHOPPER_ORDERS: usize = 12;
const ORDERS_MAX: usize = 6;
const LINES_MAX: usize = 4;

const KINDS: [(&str, i64); 20] = [
    ("green tea", 450),
    ("black tea", 420),
    ("white tea", 690),
    ("oolong", 780),
    ("rooibos", 390),
    ("espresso beans", 1_290),
    ("filter coffee", 990),
    ("cocoa", 650),
    ("honey", 820),
    ("rye flour", 210),
    ("spelt flour", 260),
    ("oat flakes", 180),
    ("olive oil", 1_450),
    ("apple vinegar", 340),
    ("sea salt", 190),
    ("black pepper", 370),
    ("cinnamon", 310),
    ("vanilla", 1_190),
    ("teapot", 3_450),
    ("mug", 1_250),
];
const SORTS: [&str; 10] = [
    "river", "meadow", "harbour", "mountain", "orchard", "garden", "island", "valley", "forest", "mill",
];
const FIRST_NAMES: [&str; 10] = [
    "Ada", "Bo", "Chidi", "Dana", "Emil", "Fatima", "Goro", "Hana", "Ines", "Jun",
];
const LAST_NAMES: [&str; 8] = [
    "Okafor",
    "Lindqvist",
    "Sato",
    "Marino",
    "Haddad",
    "Novak",
    "Silva",
    "Moreau",
];

/// All sample data.
#[derive(Debug)]
pub(super) struct Content {
    /// What can be bought.
    pub(super) products: Vec<Product>,
    /// Who buys; the shopper is the first.
    pub(super) users: Vec<SampleUser>,
}

/// A user with orders.
#[derive(Debug)]
pub(super) struct SampleUser {
    /// The user.
    pub(super) account: ImportedUser,
    /// The user's orders, oldest first.
    pub(super) orders: Vec<ImportedOrder>,
}

impl Content {
    /// Draws the content of a seed. `clock` is the one by which `ids` tells the time of an order.
    pub(super) fn draw(random: &mut Seeded, ids: &Ids, clock: &Clock) -> Self {
        let products = products(random);
        let mut users = Vec::with_capacity(USERS);
        for index in 0..USERS {
            let account = account(index, ids);
            let count = if index == 0 {
                SHOPPER_ORDERS
            } else {
                random.below(ORDERS_MAX + 1)
            };
            let orders = (0..count).map(|_| {
                // At least a minute apart, so that no two orders share an id's milliseconds.
                clock.advance_us(MINUTE_US * (1 + random.below(90) as i64));
                order(&products, random, ids, clock, &account)
            });
            let orders = orders.collect();
            users.push(SampleUser { account, orders });
        }
        Self { products, users }
    }
}

fn products(random: &mut Seeded) -> Vec<Product> {
    let all = KINDS.iter().flat_map(|kind| SORTS.iter().map(move |sort| (kind, sort)));
    all.map(|((kind, base_price), sort)| Product {
        name: format!("products/{sort}-{}", kind.replace(' ', "-")),
        display_name: format!("{}{} {kind}", sort[..1].to_uppercase(), &sort[1..]),
        description: format!("Sample data: {kind} of the {sort} sort."),
        price: Some(money::of("EUR", base_price + 10 * random.below(40) as i64)),
        ..Default::default()
    })
    .collect()
}

fn account(index: usize, ids: &Ids) -> ImportedUser {
    let first = FIRST_NAMES[index % FIRST_NAMES.len()];
    let last = LAST_NAMES[index / FIRST_NAMES.len() % LAST_NAMES.len()];
    let (display_name, email) = match index {
        0 => ("Sample Shopper".to_owned(), SHOPPER_EMAIL.to_owned()),
        _ => {
            let email = format!("{}.{}@example.com", first.to_lowercase(), last.to_lowercase());
            (format!("{first} {last}"), email)
        }
    };
    ImportedUser {
        user: ids.user_id(),
        display_name,
        email,
    }
}

fn order(products: &[Product], random: &mut Seeded, ids: &Ids, clock: &Clock, account: &ImportedUser) -> ImportedOrder {
    let count = 1 + random.below(LINES_MAX);
    let first = random.below(products.len());
    let lines = (0..count).map(|line| {
        // A stride that shares no factor with 200 meets no product twice.
        let product = &products[(first + line * 37) % products.len()];
        ImportedLine {
            product: product.name.clone(),
            display_name: product.display_name.clone(),
            quantity: 1 + i32::try_from(random.below(5)).unwrap_or_default(),
            unit_price: product.price.clone().unwrap_or_default(),
        }
    });
    let lines = lines.collect();
    let placed_at = clock.now_us();
    ImportedOrder {
        order_id: ids.row_id(account.user.bucket()),
        placed_at,
        cancelled_at: (random.below(5) == 0).then_some(placed_at + MINUTE_US / 2),
        lines,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn content(seed: u64) -> Content {
        let clock = Clock::manual(BEGIN_US);
        let ids = Ids::new(clock.clone(), Seeded::new(seed).entropy());
        Content::draw(&mut Seeded::new(seed), &ids, &clock)
    }

    #[test]
    fn one_seed_is_one_content() {
        assert_eq!(format!("{:?}", content(1)), format!("{:?}", content(1)));
        assert_ne!(format!("{:?}", content(1)), format!("{:?}", content(2)));
    }

    #[test]
    fn names_emails_and_ids_are_unique() {
        let content = content(1);
        let names: HashSet<_> = content.products.iter().map(|product| &product.name).collect();
        assert_eq!(names.len(), 200);
        let emails: HashSet<_> = content.users.iter().map(|user| &user.account.email).collect();
        assert_eq!(emails.len(), USERS);
        let orders: Vec<_> = content.users.iter().flat_map(|user| &user.orders).collect();
        let ids: HashSet<_> = orders.iter().map(|order| order.order_id).collect();
        assert_eq!(ids.len(), orders.len());
        for order in orders {
            let products: HashSet<_> = order.lines.iter().map(|line| &line.product).collect();
            assert_eq!(products.len(), order.lines.len());
        }
    }
}
