//! What happens, in order, and what is printed of it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::Value;

use crate::authority::Authority;
use crate::client::{Answer, Client};
use crate::stage::{Folder, Problem, Stage};

const HOST: &str = "shop.example.com";
const CLIENTS: usize = 4;
/// Requests on each side of the change.
const REQUESTS: usize = 1000;

/// Answers by what they said; what is no 200 has failed.
type Shares = BTreeMap<String, usize>;

pub(crate) async fn tell() -> Result<(), Problem> {
    let authority = Authority::new()?;
    let folder = Folder::new(&authority)?;
    let stage = Stage::set(&folder, &authority).await?;
    println!(
        "The shop runs: gateway {:?}, sidecar of web {:?}.",
        stage.gateway.addresses, stage.web.addresses
    );
    let told = chapters(&stage, &folder, &authority.pem()).await;
    stage.drain().await;
    told?;
    println!("\nAll proxies drained. Nothing is left running.");
    Ok(())
}

async fn chapters(stage: &Stage, folder: &Folder, authority: &str) -> Result<(), Problem> {
    at_the_door(stage.gateway.address(0)?).await?;
    shares(stage, folder, authority).await?;
    explained(stage).await?;
    denied(stage, authority).await
}

/// Plain HTTP is told to come again over HTTPS.
async fn at_the_door(address: SocketAddr) -> Result<(), Problem> {
    let answer = Client::plain(address).await?.ask("GET /cart", &[("host", HOST)]).await?;
    println!("\nPlain HTTP at the door, GET /cart:");
    print_head(&answer);
    expect(answer.status == 301, "the door did not redirect")
}

/// Traffic flows from before the change until after it.
async fn shares(stage: &Stage, folder: &Folder, authority: &str) -> Result<(), Problem> {
    let address = stage.gateway.address(1)?;
    let generation = stage.web.proxy.generation().number;
    let (sent, after) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(usize::MAX)));
    let mut clients = Vec::new();
    for _ in 0..CLIENTS {
        let mut client = Client::secure(address, HOST, authority).await?;
        let (sent, after) = (Arc::clone(&sent), Arc::clone(&after));
        clients.push(tokio::spawn(async move {
            let (mut before_change, mut after_change) = (Shares::new(), Shares::new());
            loop {
                let number = sent.fetch_add(1, Ordering::Relaxed);
                let changed = after.load(Ordering::Acquire);
                if number >= changed.saturating_add(REQUESTS) {
                    return Ok::<_, Problem>((before_change, after_change));
                }
                let shares = if number < changed { &mut before_change } else { &mut after_change };
                let answer = client.ask("GET /reviews/7", &[("host", HOST)]).await?;
                let said =
                    if answer.status == 200 { answer.body } else { format!("status {}", answer.status) };
                *shares.entry(said).or_default() += 1;
            }
        }));
    }
    while sent.load(Ordering::Relaxed) < REQUESTS {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let file = folder.config().join("31-reviews.yaml");
    let text = std::fs::read_to_string(&file)?;
    let changed = text.replace("weight: 90", "weight: 50").replace("weight: 10", "weight: 50");
    expect(text != changed, "the shop has other weights than the demo knows")?;
    std::fs::write(&file, changed)?;
    while stage.web.proxy.generation().number == generation {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    after.store(sent.load(Ordering::Relaxed) + CLIENTS, Ordering::Release);
    let (mut old, mut new) = (Shares::new(), Shares::new());
    for client in clients {
        let (before, after) = client.await??;
        merge(&mut old, before);
        merge(&mut new, after);
    }
    println!(
        "\nclient -> gateway -> web -> reviews, while 31-reviews.yaml was changed from 90/10 to 50/50:\n"
    );
    println!("{:<12} {:>16} {:>16}", "", "before", "after");
    let (all_old, all_new): (usize, usize) = (old.values().sum(), new.values().sum());
    let mut said: Vec<&String> = old.keys().chain(new.keys()).collect();
    said.sort();
    said.dedup();
    for said in &said {
        let of = |shares: &Shares, all: usize| {
            let count = shares.get(*said).copied().unwrap_or(0);
            format!("{count} ({:.1} %)", 100.0 * count as f64 / all.max(1) as f64)
        };
        println!("{said:<12} {:>16} {:>16}", of(&old, all_old), of(&new, all_new));
    }
    let failed: usize = [&old, &new]
        .into_iter()
        .flatten()
        .filter(|(said, _)| said.starts_with("status"))
        .map(|(_, n)| n)
        .sum();
    println!("failed: {failed} of {}", all_old + all_new);
    expect(failed == 0, "requests failed")?;
    // Far outside of what chance does to a thousand requests.
    let share =
        |shares: &Shares, all: usize| shares.get("reviews v2").copied().unwrap_or(0) as f64 / all as f64;
    expect((0.04..0.18).contains(&share(&old, all_old)), "version 2 did not get its tenth before")?;
    expect((0.42..0.58).contains(&share(&new, all_new)), "version 2 did not get its half after")
}

fn merge(into: &mut Shares, from: Shares) {
    for (said, count) in from {
        *into.entry(said).or_default() += count;
    }
}

/// The sidecar names its decision, and its administration endpoint tells why.
async fn explained(stage: &Stage) -> Result<(), Problem> {
    let headers = [("host", "reviews:9080"), ("end-user", "jason")];
    let answer = Client::plain(stage.web.address(1)?).await?.ask("GET /reviews/7", &headers).await?;
    let id = answer.header("x-mesh-decision").ok_or("the answer names no decision")?;
    println!("\nJason's request to reviews was answered by `{}`. Why? GET /explain/{id}:\n", answer.body);
    expect(answer.body == "reviews v2", "Jason did not get version 2")?;
    let path = format!("GET /explain/{id}");
    let told = Client::plain(stage.web.admin).await?.ask(&path, &[("host", "localhost")]).await?;
    let told: Value = serde_json::from_str(&told.body)?;
    let steps = told.get("steps").and_then(Value::as_array).ok_or("the explanation has no steps")?;
    let won = |step: &&Value| step.get("outcome").and_then(Value::as_str) == Some("won");
    for step in steps.iter().filter(won) {
        let text = |key: &str| step.get(key).and_then(Value::as_str).unwrap_or_default();
        println!("  {:<11} {:<75} {}", text("stage"), text("rule"), written(step));
    }
    expect(!steps.is_empty(), "the explanation is empty")
}

/// Object, file and line that made a step so.
fn written(step: &Value) -> String {
    let Some(origin) = step.get("origin") else { return String::new() };
    let text = |key: &str| origin.get(key).and_then(Value::as_str).unwrap_or_default();
    let file = text("file").rsplit('/').next().unwrap_or_default();
    match origin.get("line").and_then(Value::as_u64) {
        Some(line) => format!("{file}:{line} {} {}", text("kind"), text("field")),
        None => text("field").to_owned(),
    }
}

/// Three that do not get through.
async fn denied(stage: &Stage, authority: &str) -> Result<(), Problem> {
    println!("\nDenied:");
    let mut client = Client::secure(stage.gateway.address(1)?, HOST, authority).await?;
    let answer = client.ask("GET /admin/users", &[("host", HOST)]).await?;
    println!("  web asks reviews for /admin/users: {} {}", answer.status, answer.body);
    expect(answer.status == 403, "/admin was not denied")?;
    let headers = [("host", HOST), ("content-length", "0")];
    let answer = client.ask("POST /api/reviews/7", &headers).await?;
    println!("  the door writes a review without a token: {} {}", answer.status, answer.body);
    expect(answer.status == 403, "a review was written without a token")?;
    let [first, _] = &stage.reviews;
    let stranger =
        Client::plain(first.address(0)?).await?.ask("GET /reviews/7", &[("host", "reviews")]).await;
    match stranger {
        Ok(answer) => Err(format!("plaintext got through: {}", answer.status).into()),
        Err(problem) => {
            println!("  plaintext straight to the sidecar of reviews, which is STRICT: {problem}");
            Ok(())
        }
    }
}

fn print_head(answer: &Answer) {
    for line in answer.head.lines().filter(|line| !line.is_empty()) {
        println!("  {line}");
    }
}

fn expect(holds: bool, otherwise: &str) -> Result<(), Problem> {
    if holds { Ok(()) } else { Err(otherwise.into()) }
}
