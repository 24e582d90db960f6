//! A stream of any provider is the same however its bytes are split, and ends once.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let (how, data) = data.split_at(data.len().min(4));
    let &[first, ..] = how else { return };
    let call = fuzz::call(first & 1 == 0);
    let model = if first & 2 == 0 { "m" } else { "up" };
    for provider in fuzz::providers() {
        let whole = fuzz::seen(&*provider, model, &call, &[data]);
        let split = fuzz::seen(&*provider, model, &call, &fuzz::cut(data, how));
        assert_eq!(whole, split, "{}", provider.name());
    }
});
