//! Modules that are not taken.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{guest, limits, start_with};
use crate::runtime::wasm::limits::WasmLimits;
use crate::runtime::wasm::machine::Machine;
use crate::runtime::wasm::module::{Refusal, compile};

fn refusal(wat: &str) -> Refusal {
    match start_with(limits(), wat, "{}") {
        Ok(_) => panic!("it was taken"),
        Err(refusal) => refusal,
    }
}

fn compiled(bytes: &[u8], limits: WasmLimits) -> Result<(), Refusal> {
    compiled_on(&Arc::new(Machine::new(limits).unwrap()), bytes)
}

fn compiled_on(machine: &Arc<Machine>, bytes: &[u8]) -> Result<(), Refusal> {
    compile(machine, bytes.to_vec()).map(drop)
}

#[test]
fn w03_what_is_no_module_is_refused() {
    let whole = wat::parse_str(guest(&[], "")).unwrap();
    assert!(compiled(&whole, limits()).is_ok());
    for bytes in [&b""[..], b"\0asm", b"\0asm\x02\0\0\0", b"<html>", &[0xff; 4096]] {
        assert!(matches!(compiled(bytes, limits()), Err(Refusal::Malformed(_))), "{bytes:?}");
    }
    // Whatever part of it is there, and whichever byte is another.
    let machine = Arc::new(Machine::new(limits()).unwrap());
    for end in 0..whole.len() {
        // The names at its end may be missing.
        let cut = compiled_on(&machine, &whole[..end]);
        assert!(cut.is_err() || end > 100, "{end}");
    }
    for at in 0..whole.len() {
        let mut other = whole.clone();
        other[at] ^= 0x41;
        let _ = compiled_on(&machine, &other);
    }
}

#[test]
fn w03_a_module_that_is_too_large_is_refused() {
    let small = WasmLimits { module_bytes: 100, ..limits() };
    let whole = wat::parse_str(guest(&[], "")).unwrap();
    assert_eq!(compiled(&whole, small), Err(Refusal::TooLarge(100)));
}

#[test]
fn w03_another_abi_missing_exports_and_unknown_imports_are_refused() {
    assert_eq!(refusal("(module)"), Refusal::Abi);
    let old = guest(&[], "").replace("proxy_abi_version_0_2_1", "proxy_abi_version_0_1_0");
    assert_eq!(refusal(&old), Refusal::Abi);
    let without_memory = "(module (func (export \"proxy_abi_version_0_2_1\")))";
    assert_eq!(refusal(without_memory), Refusal::Export("memory"));
    let without_allocate = guest(&[], "").replace("proxy_on_memory_allocate", "something");
    assert_eq!(refusal(&without_allocate), Refusal::Export("proxy_on_memory_allocate"));
    let unknown = guest(&[("proxy_format_disk", "i32")], "");
    assert!(matches!(refusal(&unknown), Refusal::Import(why) if why.contains("proxy_format_disk")));
    let mistyped = guest(&[("proxy_log", "i64")], "");
    assert!(matches!(refusal(&mistyped), Refusal::Import(_)));
    let mistyped = guest(&[], "(func (export \"proxy_on_request_headers\") (param i64))");
    assert!(matches!(refusal(&mistyped), Refusal::Start(_)));
}

#[test]
fn w03_what_loops_at_its_start_is_cut() {
    let began = Instant::now();
    let code = "(loop $again (br $again))";
    for wat in [
        guest(&[], &format!("(func $begin {code}) (start $begin)")),
        guest(&[], &format!("(func (export \"_initialize\") {code})")),
        guest(&[], &format!("(func (export \"_start\") {code})")),
        guest(&[], &format!("(func (export \"proxy_on_context_create\") (param i32 i32) {code})")),
        guest(
            &[],
            &format!(
                "(func (export \"proxy_on_vm_start\") (param i32 i32) (result i32) {code} (i32.const 1))"
            ),
        ),
        guest(
            &[],
            &format!(
                "(func (export \"proxy_on_configure\") (param i32 i32) (result i32) {code} (i32.const 1))"
            ),
        ),
    ] {
        let quick = WasmLimits { start: Duration::from_millis(100), ..limits() };
        let refusal = start_with(quick, &wat, "{}").err();
        assert_eq!(refusal, Some(Refusal::Start("it took too long".to_owned())));
    }
    assert!(began.elapsed() < Duration::from_secs(60));
}

#[test]
fn w03_a_module_that_refuses_its_configuration_or_exits_is_refused() {
    let no = "(func (export \"proxy_on_configure\") (param i32 i32) (result i32) (i32.const 0))";
    assert_eq!(refusal(&guest(&[], no)), Refusal::Configuration);
    let exit = "(import \"wasi_snapshot_preview1\" \"proc_exit\" (func $exit (param i32)))";
    let wat = guest(&[], "(func (export \"_start\") (call $exit (i32.const 3)))").replacen(
        "(module",
        &format!("(module {exit}"),
        1,
    );
    assert_eq!(refusal(&wat), Refusal::Start("it exited with 3".to_owned()));
}

#[test]
fn w03_a_module_that_takes_too_long_to_compile_is_given_up() {
    // A few megabytes of arithmetic, which no compiler finishes in a millisecond.
    let line =
        "(local.set 0 (i32.mul (i32.add (local.get 0) (i32.const 7)) (i32.xor (local.get 0) (i32.const 9))))";
    let function = format!("(func (param i32) {})", line.repeat(400));
    let bomb = wat::parse_str(guest(&[], &function.repeat(100))).unwrap();
    let impatient = WasmLimits { compile: Duration::from_millis(1), ..limits() };
    let began = Instant::now();
    let machine = Arc::new(Machine::new(impatient).unwrap());
    assert_eq!(compiled_on(&machine, &bomb), Err(Refusal::CompileTime));
    assert!(began.elapsed() < Duration::from_secs(20));
    // Their threads end on their own; meanwhile there are no more than a few of them.
    for _ in 0..10 {
        assert_eq!(compiled_on(&machine, &bomb), Err(Refusal::CompileTime));
        assert!(machine.compiling.load(std::sync::atomic::Ordering::SeqCst) <= 4);
    }
}
