//! What a call costs in the ledger: `cargo run --release -p adapter-sqlite --example ledger_cost`.
//!
//! So many callers each reserve and settle, again and again, through the grouped ledger on a file.
//! Arguments: callers (16), calls (50,000), `full` for commits that survive a power cut.

use adapter_sqlite::{Grouping, SqliteExecutor, SqliteOptions, Synchronous};
use gateway_domain::{
    ApiKey, CallRecord, CallState, ChannelId, Credits, EndReason, FrozenPrice, ModelSet, RequestId,
    Role, SubnetList, Timestamp, TokenCounts, TokenId, UserId,
};
use gateway_ports::{AuditAction, AuditEntry, Hold, NewToken, NewUser, Reserved, Store};
use std::{error::Error, time::Duration};

type Outcome<T> = Result<T, Box<dyn Error>>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Outcome<()> {
    let mut args = std::env::args().skip(1);
    let callers: u64 = args.next().map_or(Ok(16), |n| n.parse())?;
    let calls: u64 = args.next().map_or(Ok(50_000), |n| n.parse())?;
    let synchronous = match args.next().as_deref() {
        Some("full") => Synchronous::Full,
        _ => Synchronous::Normal,
    };
    let folder = tempfile::tempdir()?;
    let options = SqliteOptions {
        synchronous,
        ..SqliteOptions::new(format!("sqlite:{}", folder.path().join("cost.db").display()))
    };
    let executor = SqliteExecutor::open(&options).await?;
    let (store, writer) = adapter_sqlite::store(&executor, Grouping::default());
    let mut payers = Vec::new();
    for n in 0..8 {
        payers.push(payer(&store, n).await?);
    }

    let each = calls / callers.max(1);
    let work = (0..callers).map(|caller| {
        let store = &store;
        let payer = payers.iter().copied().cycle().nth(usize::try_from(caller).unwrap_or(0));
        async move {
            let Some(payer) = payer else { return Ok(()) };
            for n in 0..each {
                one_call(store, payer, n * callers + caller).await?;
            }
            Outcome::Ok(())
        }
    });
    let (cpu, wall) = (cpu_time()?, tokio::time::Instant::now());
    tokio::select! {
        done = futures_util::future::try_join_all(work) => { done?; }
        () = writer => return Err("the ledger's loop ended".into()),
    }
    let (cpu, wall) = (cpu_time()?.saturating_sub(cpu), wall.elapsed());
    let done = u32::try_from(each * callers)?.max(1);
    let rate = f64::from(done) / wall.as_secs_f64();
    #[expect(clippy::print_stdout, reason = "an example shows what it found")]
    {
        println!(
            "{done} calls by {callers} callers, {synchronous:?}: {rate:.0}/s, {:?} of wall clock and {:?} of CPU each",
            wall / done,
            cpu / done,
        );
    }
    Ok(())
}

/// What this process has used of all processors. (Linux: 100 ticks a second.)
fn cpu_time() -> Outcome<Duration> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let behind_name = stat.rsplit(')').next().unwrap_or_default();
    let times = behind_name.split_whitespace().skip(11).take(2);
    let ticks = times.map(str::parse::<u64>).sum::<Result<u64, _>>()?;
    Ok(Duration::from_millis(10 * ticks))
}

async fn payer(store: &Store, n: u8) -> Outcome<(UserId, TokenId)> {
    let created_at = Timestamp::from_millis(1_700_000_000_000);
    let user = NewUser {
        username: format!("user{n}"),
        display_name: String::new(),
        email: None,
        password_hash: String::new(),
        role: Role::User,
        must_change_password: false,
        granted: Credits::MAX,
        created_at,
    };
    let user_id = store.users.insert(&user).await?;
    let token = NewToken {
        user_id,
        name: String::new(),
        digest: ApiKey::from_random(&[n; 32]).digest(),
        key_prefix: String::new(),
        key_last4: String::new(),
        cap: Some(Credits::MAX),
        models: ModelSet::default(),
        subnet: SubnetList::default(),
        expires_at: None,
        limits: gateway_domain::Limits::default(),
    };
    let request_id = RequestId(user_id.to_string());
    let entry = AuditEntry::new(request_id, created_at, AuditAction::TokenCreate);
    let token_id = store.tokens.insert(&token, 10, &entry).await?;
    Ok((user_id, token_id.ok_or("no room for a key")?))
}

async fn one_call(store: &Store, (user_id, token_id): (UserId, TokenId), n: u64) -> Outcome<()> {
    let request_id = RequestId(format!("018bcfe5-6800-7000-8000-{n:012x}"));
    let created_at = Timestamp::from_millis(1_700_000_000_000);
    let hold = Hold {
        request_id: request_id.clone(),
        user_id,
        token_id,
        token_revision: 0,
        amount: Credits::saturating(5000),
        least: Credits::saturating(5000),
        floor: Credits::saturating(9),
        model: "gpt-4o-mini".to_owned(),
        stream: true,
        price: FrozenPrice::DEFAULT,
        idempotency_key: None,
        created_at,
        expires_at: created_at.plus(Duration::from_mins(10)),
    };
    if !matches!(store.ledger.reserve(&hold).await?, Reserved::Granted(_)) {
        return Err("refused".into());
    }
    let call = CallRecord {
        request_id,
        user_id,
        token_id,
        channel_id: Some(ChannelId(1)),
        model: hold.model,
        upstream_model: "gpt-4o-mini-2024-07-18".to_owned(),
        state: CallState::Settled,
        price: hold.price,
        counts: TokenCounts { prompt: 1000, completion: 200, ..TokenCounts::default() },
        quota: Credits::saturating(1600),
        unbilled: Credits::ZERO,
        estimated: false,
        stream: true,
        status: 200,
        end_reason: EndReason::Complete,
        attempts: 1,
        failures: Vec::new(),
        dropped: Vec::new(),
        latency_ms: 2500,
        first_byte_ms: Some(300),
        created_at,
    };
    store.ledger.settle(&call).await?;
    Ok(())
}
