//! What the operator's prices must keep.

use super::fixture::entry;
use crate::{AuditAction::PricesReplace, NewPrices, Store};
use futures_util::future::join_all;
use gateway_domain::{Price, PriceEntry, PriceTable};

fn table(units: u64) -> PriceTable {
    let price = Price { prompt: units, cached: 1, cache_write: 2, completion: Price::MOST };
    let entry = |pattern: &str| PriceEntry { pattern: pattern.to_owned(), price, version: 0 };
    PriceTable::new(vec![entry("gpt-4o"), entry("modèle*")]).unwrap()
}

fn new(units: u64, replaces: u64) -> NewPrices {
    NewPrices { table: table(units), replaces }
}

pub(super) async fn there_are_no_prices_at_first(store: &Store) {
    assert_eq!(store.prices.load().await.unwrap(), (0, PriceTable::default()));
}

pub(super) async fn the_newest_table_is_loaded_with_its_version(store: &Store) {
    let first = store.prices.replace(&new(5, 0), &entry(PricesReplace)).await.unwrap().unwrap();
    let second =
        store.prices.replace(&new(6, first), &entry(PricesReplace)).await.unwrap().unwrap();
    assert!(second > first);
    let (version, loaded) = store.prices.load().await.unwrap();
    assert_eq!((version, &loaded), (second, &table(6).with_version(second)));
    let found = loaded.find("modèle 7").unwrap();
    assert_eq!((found.version, found.price.prompt), (second, 6));
}

pub(super) async fn nobody_replaces_what_they_have_not_seen(store: &Store) {
    let first = store.prices.replace(&new(5, 0), &entry(PricesReplace)).await.unwrap().unwrap();
    assert_eq!(store.prices.replace(&new(6, 0), &entry(PricesReplace)).await.unwrap(), None);
    assert_eq!(
        store.prices.replace(&new(6, first + 1), &entry(PricesReplace)).await.unwrap(),
        None
    );
    assert_eq!(store.prices.load().await.unwrap(), (first, table(5).with_version(first)));
    let racing: Vec<NewPrices> = (0..8).map(|n| new(n, first)).collect();
    let entry = entry(PricesReplace);
    let racing = join_all(racing.iter().map(|prices| store.prices.replace(prices, &entry))).await;
    assert_eq!(racing.into_iter().filter(|r| r.as_ref().unwrap().is_some()).count(), 1);
}
