//! Prints lives for the model of the ledger, one a line as JSON: for stores that cannot be asked
//! from here, such as D1 in workerd. How many, of how many steps: `lives 20 400`
#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a tool for tests")]

use gateway_ports::contract::model::life;
use proptest::{
    strategy::{Strategy, ValueTree},
    test_runner::TestRunner,
};

fn main() {
    let mut numbers = std::env::args().skip(1).map(|text| text.parse::<usize>().unwrap());
    let (lives, steps) = (numbers.next().unwrap_or(20), numbers.next().unwrap_or(400));
    let mut runner = TestRunner::deterministic();
    for _ in 0..lives {
        let life = life(steps).new_tree(&mut runner).unwrap().current();
        println!("{}", serde_json::to_string(&life).unwrap());
    }
}
