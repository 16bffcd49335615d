//! What modules do to streams, and what they may not.

use super::{data, guest, on_request, start, start_with, stream};
use crate::runtime::wasm::host::ROOT;
use crate::runtime::wasm::status;
use crate::runtime::wasm::vm::{Action, Direction, Vm};

const REPLACE: (&str, &str) = ("proxy_replace_header_map_value", "i32 i32 i32 i32 i32");
const REMOVE: (&str, &str) = ("proxy_remove_header_map_value", "i32 i32 i32");
const ANSWER: (&str, &str) = ("proxy_send_local_response", "i32 i32 i32 i32 i32 i32 i32 i32");
const SET_BODY: (&str, &str) = ("proxy_set_buffer_bytes", "i32 i32 i32 i32 i32");

/// Sets a header of the request and breaks unless the answer is `wanted`.
fn sets(name: &str, value: &str, wanted: i32) -> Vm {
    let code = format!(
        "(if (i32.ne (i32.const {wanted}) (call $proxy_replace_header_map_value
            (i32.const 0) (i32.const 0) (i32.const {}) (i32.const 512) (i32.const {}))) (then unreachable))
        (i32.const 0)",
        name.len(),
        value.len()
    );
    let wat = on_request(&[REPLACE], &code).replacen(
        "(func (export \"proxy_abi",
        &format!("{} {} (func (export \"proxy_abi", data(0, name), data(512, value)),
        1,
    );
    let mut vm = start(&wat);
    let context = vm.open(stream()).unwrap();
    assert_eq!(vm.headers(context, Direction::Request, true), Ok(Action::Continue), "{name}: {value:?}");
    vm
}

fn header(vm: &mut Vm, name: &str) -> Option<String> {
    let stream = vm.host().streams.get_mut(&(ROOT + 1)).unwrap();
    let fields = stream.request.headers.as_ref().unwrap();
    fields.first(name.as_bytes()).map(|value| String::from_utf8(value.to_vec()).unwrap())
}

#[test]
fn w04_what_would_be_two_lines_is_refused() {
    for value in ["a\r\nx-admin: yes", "a\nb", "a\rb", "a\0b"] {
        let mut vm = sets("x-user", value, status::BAD_ARGUMENT);
        assert_eq!(header(&mut vm, "x-user").as_deref(), Some("ann"));
    }
    for name in ["x user", "x\r\ny", "", "x:y", ":odd", ":status"] {
        sets(name, "a", status::BAD_ARGUMENT);
    }
    for (name, value) in [
        (":path", "no-slash"),
        (":path", "/a b"),
        (":path", "/a\r\nx: y"),
        (":method", "G T"),
        (":scheme", "gopher"),
        (":authority", "a/b"),
        ("host", "a b"),
    ] {
        sets(name, value, status::BAD_ARGUMENT);
    }
}

#[test]
fn w04_what_frames_a_message_stays_the_proxys() {
    for name in
        ["content-length", "transfer-encoding", "connection", "upgrade", "te", "keep-alive", "trailer"]
    {
        let mut vm = sets(name, "1", status::OK);
        let wanted = (name == "content-length").then_some("5");
        assert_eq!(header(&mut vm, name).as_deref(), wanted, "{name}");
    }
    let mut vm = sets("host", "other", status::OK);
    assert_eq!(header(&mut vm, ":authority").as_deref(), Some("other"), "another name of it, as in Envoy");
    let mut vm = sets("x-user", "bob", status::OK);
    assert_eq!(header(&mut vm, "X-User").as_deref(), Some("bob"));
}

#[test]
fn w04_a_body_does_not_outgrow_the_bound() {
    // CVE-2021-32781: half a memory, appended until it is refused.
    let code = "(func (export \"proxy_on_request_body\") (param i32 i32 i32) (result i32)
        (local $times i32)
        (loop $again
            (local.set $times (i32.add (local.get $times) (i32.const 1)))
            (br_if $again (i32.eqz (call $proxy_set_buffer_bytes
                (i32.const 0) (i32.const -1) (i32.const 0) (i32.const 0) (i32.const 65536)))))
        (i32.ne (local.get $times) (i32.const 16)))";
    let mut vm = start(&guest(&[SET_BODY], code));
    let context = vm.open(stream()).unwrap();
    vm.host().streams.get_mut(&context).unwrap().request.body = Some(b"hello".to_vec());
    assert_eq!(
        vm.body(context, Direction::Request, true),
        Ok(Action::Continue),
        "the sixteenth was too much"
    );
    let body = vm.host().streams.get_mut(&context).unwrap().request.body.take().unwrap();
    assert_eq!(body.len(), 5 + 15 * 65536);
}

#[test]
fn w04_a_second_answer_counts_for_nothing() {
    let answer = |status: u32| {
        format!(
            "(drop (call $proxy_send_local_response (i32.const {status}) (i32.const 0) (i32.const 0) (i32.const 0)
                (i32.const 2) (i32.const 0) (i32.const 0) (i32.const -1)))"
        )
    };
    let wat = on_request(&[ANSWER], &format!("{} {} (i32.const 1)", answer(403), answer(200)));
    let mut vm = start(&wat);
    let context = vm.open(stream()).unwrap();
    assert_eq!(vm.headers(context, Direction::Request, true), Ok(Action::Pause));
    let stream = vm.host().streams.get_mut(&context).unwrap();
    assert_eq!(stream.local.take().unwrap().status, 403);
    stream.is_answered = true;
    assert_eq!(vm.headers(context, Direction::Request, true), Ok(Action::Pause));
    assert!(vm.host().streams.get_mut(&context).unwrap().local.is_none(), "one was sent already");
}

#[test]
fn w04_what_is_over_cannot_be_acted_on() {
    // A timer that works on the first stream: changes it, answers, goes on with it; all of it is counted.
    let code = "(global $done (mut i32) (i32.const 0))
        (func (export \"done\") (result i32) (global.get $done))
        (func (export \"proxy_on_tick\") (param i32)
            (if (i32.ne (call $proxy_set_effective_context (i32.const 2)) (i32.const 2)) (then unreachable))
            (if (i32.eqz (call $proxy_remove_header_map_value (i32.const 0) (i32.const 0) (i32.const 1)))
                (then unreachable))
            (if (i32.eqz (call $proxy_continue_stream (i32.const 0))) (then unreachable))
            (if (i32.eqz (call $proxy_close_stream (i32.const 0))) (then unreachable))
            (if (i32.eqz (call $proxy_send_local_response (i32.const 200) (i32.const 0) (i32.const 0) (i32.const 0)
                (i32.const 0) (i32.const 0) (i32.const 0) (i32.const -1))) (then unreachable))
            (if (i32.eqz (call $proxy_set_buffer_bytes
                (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 1))) (then unreachable)))";
    let imports = [
        REMOVE,
        ANSWER,
        SET_BODY,
        ("proxy_set_effective_context", "i32"),
        ("proxy_continue_stream", "i32"),
        ("proxy_close_stream", "i32"),
    ];
    let mut vm = start(&guest(&imports, code));
    let context = vm.open(stream()).unwrap();
    assert_eq!(context, ROOT + 1);
    vm.close(context);
    vm.tick();
    assert!(!vm.is_broken(), "each call was refused");
    // A number is not given twice: a late call means nobody else.
    assert_eq!(vm.open(stream()).unwrap(), ROOT + 2);
}

#[test]
fn a_stream_that_is_told_of_can_be_read_and_not_changed() {
    let code = "(func (export \"proxy_on_log\") (param i32)
        (if (i32.ne (call $proxy_remove_header_map_value (i32.const 0) (i32.const 0) (i32.const 1)) (i32.const 2))
            (then unreachable)))";
    let mut vm = start(&guest(&[REMOVE], code));
    let context = vm.open(stream()).unwrap();
    vm.host().streams.get_mut(&context).unwrap().is_over = true;
    vm.close(context);
    assert!(!vm.is_broken());
}

/// Asks for something by its names and breaks unless it is `wanted`.
fn property(path: &str, wanted: Option<&[u8]>) {
    let [yes, no] = [status::OK, status::NOT_FOUND];
    let answer = if wanted.is_some() { yes } else { no };
    let code = format!(
        "(if (i32.ne (i32.const {answer}) (call $proxy_get_property
            (i32.const 0) (i32.const {}) (i32.const 1024) (i32.const 1028))) (then unreachable))
        (i32.const 0)",
        path.len()
    );
    let wat = on_request(&[("proxy_get_property", "i32 i32 i32 i32")], &code).replacen(
        "(func (export \"proxy_abi",
        &format!("{} (func (export \"proxy_abi", data(0, path)),
        1,
    );
    let mut vm = start(&wat);
    let context = vm.open(stream()).unwrap();
    assert_eq!(vm.headers(context, Direction::Request, true), Ok(Action::Continue), "{path:?}");
    if let Some(wanted) = wanted {
        assert_eq!(
            crate::runtime::wasm::properties::get(vm.host(), path.as_bytes()).unwrap(),
            wanted,
            "{path:?}"
        );
    }
}

#[test]
fn properties_are_those_of_the_stream() {
    property("request\0path", Some(b"/a?b=1"));
    property("request\0url_path", Some(b"/a"));
    property("request\0query", Some(b"b=1"));
    property("request\0host", Some(b"reviews"));
    property("request\0headers\0x-user", Some(b"ann"));
    property("request\0time", Some(&7_000_000_000_u64.to_le_bytes()));
    property("source\0address", Some(b"10.0.0.7:4000"));
    property("source\0port", Some(&4000_i64.to_le_bytes()));
    property("destination\0port", Some(&8080_i64.to_le_bytes()));
    property("connection\0uri_san_peer_certificate", Some(b"spiffe://cluster.local/ns/shop/sa/web"));
    property("connection\0mtls", Some(&[1]));
    property("listener_direction", Some(&1_i64.to_le_bytes()));
    property("plugin_root_id", Some(b"root"));
    property("request\0headers\0absent", None);
    property("node\0secrets", None);
    property("", None);
}

#[test]
fn a_module_reads_its_configuration_and_environment_when_it_is_configured() {
    let code = "(import \"wasi_snapshot_preview1\" \"environ_sizes_get\" (func $sizes (param i32 i32) (result i32)))";
    let wat = guest(
        &[("proxy_get_buffer_bytes", "i32 i32 i32 i32 i32")],
        "(func (export \"proxy_on_configure\") (param i32 i32) (result i32)
            (if (call $proxy_get_buffer_bytes (i32.const 7) (i32.const 0) (local.get 1) (i32.const 0) (i32.const 4))
                (then unreachable))
            (if (call $sizes (i32.const 8) (i32.const 12)) (then unreachable))
            ;; `MODE=test` and a zero byte.
            (if (i32.ne (i32.load (i32.const 12)) (i32.const 10)) (then unreachable))
            ;; The first byte of the configuration.
            (i32.eq (i32.load8_u (i32.load (i32.const 0))) (i32.const 123)))
        (func (export \"proxy_on_request_headers\") (param i32 i32 i32) (result i32)
            (i32.ne (i32.const 1) (call $proxy_get_buffer_bytes
                (i32.const 7) (i32.const 0) (i32.const 10) (i32.const 0) (i32.const 4))))",
    )
    .replacen("(module", &format!("(module {code}"), 1);
    let mut vm = start_with(super::limits(), &wat, "{\"a\":1}").unwrap_or_else(|refusal| panic!("{refusal}"));
    assert!(start_with(super::limits(), &wat, "none").is_err());
    let context = vm.open(stream()).unwrap();
    assert_eq!(vm.headers(context, Direction::Request, true), Ok(Action::Continue), "not later");
}

#[test]
fn instances_share_bounded_data_and_metrics() {
    let shared = super::shared(super::limits(), "");
    assert_eq!(shared.put_data(b"key", b"one", 0), status::OK);
    let (value, version) = shared.data(b"key").unwrap();
    assert_eq!((&value[..], version), (&b"one"[..], 1));
    assert_eq!(shared.put_data(b"key", b"two", 7), status::CAS_MISMATCH);
    assert_eq!(shared.put_data(b"key", b"two", 1), status::OK);
    assert_eq!(shared.put_data(b"big", &vec![0; 2 << 20], 0), status::INTERNAL_FAILURE);
    let mut last = status::OK;
    for number in 0..100_000_u32 {
        last = shared.put_data(&number.to_le_bytes(), &[0; 100], 0);
    }
    assert_eq!(last, status::INTERNAL_FAILURE, "ten megabytes in all");

    let id = shared.define_metric(0, b"hits").unwrap();
    assert_eq!(shared.define_metric(0, b"hits"), Ok(id));
    assert_eq!(shared.increment_metric(id, 2), status::OK);
    assert_eq!(shared.increment_metric(id, -1), status::BAD_ARGUMENT);
    assert_eq!(shared.metric(id), Some(2));
    assert_eq!(shared.record_metric(99, 1), status::NOT_FOUND);
    let defined = (0..5_000_u32).filter(|it| shared.define_metric(1, it.to_string().as_bytes()).is_ok());
    assert_eq!(defined.count(), 999);
}
