//! Modules that break, loop, or want more than they may have.

use std::time::{Duration, Instant};

use super::{guest, limits, on_request, start, start_with, stream};
use crate::runtime::wasm::vm::{Action, Broken, Direction, Vm};

/// What a module says to a request, and how long it took.
fn ask(vm: &mut Vm) -> (Result<Action, Broken>, Duration) {
    let began = Instant::now();
    let answer = vm.open(stream()).and_then(|context| vm.headers(context, Direction::Request, true));
    (answer, began.elapsed())
}

fn breaks(code: &str) {
    let mut vm = start(&on_request(&[], code));
    assert_eq!(ask(&mut vm).0, Err(Broken), "{code}");
    assert!(vm.is_broken());
    // It is never called again: its memory may be in any state.
    assert_eq!(ask(&mut vm).0, Err(Broken), "{code}");
}

#[test]
fn w01_a_module_that_traps_breaks_its_instance_and_nothing_else() {
    breaks("unreachable");
    breaks("(i32.div_u (i32.const 1) (i32.const 0))");
    breaks("(i32.load (i32.const 0x7ffffff0))");
    breaks("(i32.load (i32.const -4))");
}

#[test]
fn w01_a_module_that_overflows_its_stack_breaks_its_instance() {
    let deep = "(func $deep (param i32) (result i32) (i32.add (call $deep (local.get 0)) (i32.const 1)))
        (func (export \"proxy_on_request_headers\") (param i32 i32 i32) (result i32) (call $deep (i32.const 0)))";
    let mut vm = start(&guest(&[], deep));
    assert_eq!(ask(&mut vm).0, Err(Broken));
}

#[test]
fn w02_a_loop_is_cut() {
    let mut vm = start(&on_request(&[], "(loop $again (br $again)) (i32.const 0)"));
    let (answer, took) = ask(&mut vm);
    assert_eq!(answer, Err(Broken));
    // Cut after 200 ms; a busy machine has a hundred times as long.
    assert!(took < Duration::from_secs(20), "{took:?}");
}

#[test]
fn w02_a_loop_of_calls_into_the_proxy_is_cut() {
    let time = [("proxy_get_current_time_nanoseconds", "i32")];
    let code = "(loop $again
        (drop (call $proxy_get_current_time_nanoseconds (i32.const 16))) (br $again)) (i32.const 0)";
    let (answer, took) = ask(&mut start(&on_request(&time, code)));
    assert_eq!(answer, Err(Broken));
    assert!(took < Duration::from_secs(20), "{took:?}");
}

#[test]
fn w02_memory_ends_where_the_bound_is() {
    // 4 GiB at once, and page after page: -1 is refused, and what is there is told by the status of the answer.
    let code = "(if (i32.ne (memory.grow (i32.const 65534)) (i32.const -1)) (then unreachable))
        (loop $again (br_if $again (i32.ne (memory.grow (i32.const 16)) (i32.const -1))))
        (if (i32.gt_u (memory.size) (i32.const 1024)) (then unreachable))
        (if (i32.lt_u (memory.size) (i32.const 1000)) (then unreachable))
        (i32.const 0)";
    assert_eq!(ask(&mut start(&on_request(&[], code))).0, Ok(Action::Continue));
}

#[test]
fn w02_tables_end_where_the_bound_is() {
    let code = "(table $bomb 1 funcref)
        (func (export \"proxy_on_request_headers\") (param i32 i32 i32) (result i32)
        (if (i32.ne (table.grow $bomb (ref.null func) (i32.const 100000000)) (i32.const -1)) (then unreachable))
        (loop $again (br_if $again (i32.ne (table.grow $bomb (ref.null func) (i32.const 1000)) (i32.const -1))))
        (if (i32.gt_u (table.size $bomb) (i32.const 100000)) (then unreachable))
        (i32.const 0))";
    assert_eq!(ask(&mut start(&guest(&[], code))).0, Ok(Action::Continue));
    // A table that is too large from the beginning.
    let born = guest(&[], "(table 1000000 funcref)");
    assert!(start_with(limits(), &born, "").is_err());
}

#[test]
fn w02_a_million_timers_are_one_timer() {
    let tick = [("proxy_set_tick_period_milliseconds", "i32")];
    let code = "(local $left i32) (local.set $left (i32.const 1000000))
        (loop $again
            (drop (call $proxy_set_tick_period_milliseconds (i32.const 1)))
            (local.set $left (i32.sub (local.get $left) (i32.const 1)))
            (br_if $again (local.get $left)))
        (i32.const 0)";
    let tick_callback = "(func (export \"proxy_on_tick\") (param i32))";
    let wat = on_request(&tick, code).replacen("(func (export", &format!("{tick_callback} (func (export"), 1);
    let wide = super::WasmLimits { call: Duration::from_secs(60), ..limits() };
    let mut vm = start_with(wide, &wat, "").unwrap_or_else(|refusal| panic!("{refusal}"));
    assert_eq!(ask(&mut vm).0, Ok(Action::Continue));
    assert_eq!(vm.tick_period(), Some(limits().tick), "one, and not faster than the bound");
}

#[test]
fn w02_log_lines_are_cut_and_too_many_are_lost() {
    let log = [("proxy_log", "i32 i32 i32")];
    // All of the memory as one line, a thousand times.
    let code = "(local $left i32) (local.set $left (i32.const 1000))
        (loop $again
            (if (call $proxy_log (i32.const 2) (i32.const 0) (i32.const 131072)) (then unreachable))
            (local.set $left (i32.sub (local.get $left) (i32.const 1)))
            (br_if $again (local.get $left)))
        (i32.const 0)";
    let wide = super::WasmLimits { call: Duration::from_secs(60), logs_per_second: 10, ..limits() };
    let mut vm = start_with(wide, &on_request(&log, code), "").unwrap_or_else(|refusal| panic!("{refusal}"));
    let written = Lines::default();
    let answer = tracing::subscriber::with_default(written.clone(), || ask(&mut vm).0);
    assert_eq!(answer, Ok(Action::Continue));
    let lengths = written.0.lock().unwrap();
    // Ten at once, and ten a second: the calls take far less than ten seconds.
    assert!((10..110).contains(&lengths.len()), "{}", lengths.len());
    assert!(lengths.iter().all(|length| *length <= 4096), "{lengths:?}");
}

/// How long the log lines of modules are.
#[derive(Clone, Default)]
struct Lines(std::sync::Arc<std::sync::Mutex<Vec<usize>>>);

impl tracing::Subscriber for Lines {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        metadata.target().contains("wasm")
    }

    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}

    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        struct Length(usize);
        impl tracing::field::Visit for Length {
            fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
                if field.name() == "message" {
                    self.0 = format!("{value:?}").chars().count();
                }
            }
        }
        let mut length = Length(0);
        event.record(&mut length);
        self.0.lock().unwrap().push(length.0);
    }

    fn enter(&self, _: &tracing::span::Id) {}

    fn exit(&self, _: &tracing::span::Id) {}
}
