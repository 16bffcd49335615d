;; A module for the proxy-wasm ABI, written by hand: refuses what is below /private, and marks what passes.
;; `wat2wasm door.wat`, or the crate `wat`, makes a module of it; docs/running.md shows how a proxy is told of it.
(module
  (import "env" "proxy_get_header_map_value"
    (func $get (param $map i32) (param $key i32) (param $key_size i32) (param $at i32) (param $at_size i32) (result i32)))
  (import "env" "proxy_add_header_map_value"
    (func $add (param $map i32) (param $key i32) (param $key_size i32) (param $value i32) (param $size i32) (result i32)))
  (import "env" "proxy_send_local_response"
    (func $answer (param $status i32) (param $details i32) (param $details_size i32) (param $body i32) (param $body_size i32)
      (param $headers i32) (param $headers_size i32) (param $grpc_status i32) (result i32)))

  (memory (export "memory") 1)
  (data (i32.const 0) ":path")
  (data (i32.const 16) "/private")
  (data (i32.const 32) "x-door")
  (data (i32.const 48) "open")
  (data (i32.const 64) "private: keep out")
  (data (i32.const 96) "kept_out")

  ;; Where the proxy puts the address and the length of what it hands over.
  (global $at i32 (i32.const 128))
  (global $at_size i32 (i32.const 132))

  ;; Memory for the proxy is given from one page, over and over: nothing is kept between calls.
  (global $free (mut i32) (i32.const 1024))
  (func (export "proxy_on_memory_allocate") (param $size i32) (result i32)
    (if (i32.gt_u (local.get $size) (i32.const 60000)) (then (return (i32.const 0))))
    (if (i32.gt_u (i32.add (global.get $free) (local.get $size)) (i32.const 65536))
      (then (global.set $free (i32.const 1024))))
    (global.get $free)
    (global.set $free (i32.add (global.get $free) (local.get $size))))

  (func (export "proxy_abi_version_0_2_1"))

  (func $is_private (result i32)
    (local $index i32)
    (if (call $get (i32.const 0) (i32.const 0) (i32.const 5) (global.get $at) (global.get $at_size))
      (then (return (i32.const 0))))
    (if (i32.lt_u (i32.load (global.get $at_size)) (i32.const 8)) (then (return (i32.const 0))))
    (loop $next
      (if (i32.ne
            (i32.load8_u (i32.add (i32.load (global.get $at)) (local.get $index)))
            (i32.load8_u (i32.add (i32.const 16) (local.get $index))))
        (then (return (i32.const 0))))
      (local.set $index (i32.add (local.get $index) (i32.const 1)))
      (br_if $next (i32.lt_u (local.get $index) (i32.const 8))))
    (i32.const 1))

  (func (export "proxy_on_request_headers") (param $context i32) (param $count i32) (param $ends i32) (result i32)
    (if (call $is_private)
      (then
        (drop (call $answer (i32.const 403) (i32.const 96) (i32.const 8) (i32.const 64) (i32.const 17)
          (i32.const 0) (i32.const 0) (i32.const -1)))
        (return (i32.const 1))))
    (drop (call $add (i32.const 0) (i32.const 32) (i32.const 6) (i32.const 48) (i32.const 4)))
    (i32.const 0))

  (func (export "proxy_on_response_headers") (param $context i32) (param $count i32) (param $ends i32) (result i32)
    (drop (call $add (i32.const 2) (i32.const 32) (i32.const 6) (i32.const 48) (i32.const 4)))
    (i32.const 0)))
