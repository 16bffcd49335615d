//! An instance of a module, and the calls into it.

use std::sync::Arc;
use std::time::Duration;

use wasmtime::{AsContextMut, Instance, Store, StoreLimitsBuilder, Trap, TypedFunc, WasmParams, WasmResults};

use super::fields::Fields;
use super::host::{Host, ROOT, Stream};
use super::machine::Machine;
use super::module::{Compiled, Refusal};
use super::shared::Shared;
use crate::runtime::inquiry::Whole;

/// Tables of an instance.
const TABLES_MAX: usize = 8;

/// The instance broke, and is not called any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Broken;

/// What a module says to a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    Continue,
    Pause,
}

/// An instance, with its own context.
pub(super) struct Vm {
    store: Store<Host>,
    machine: Arc<Machine>,
    callbacks: Callbacks,
    broken: Option<String>,
    last_context: u32,
}

/// What a module wants to hear of. Spec: proxy-wasm ABI 0.2.1, callbacks.
#[derive(Default)]
struct Callbacks {
    context_create: Option<TypedFunc<(u32, u32), ()>>,
    request_headers: Option<TypedFunc<(u32, u32, u32), u32>>,
    request_body: Option<TypedFunc<(u32, u32, u32), u32>>,
    request_trailers: Option<TypedFunc<(u32, u32), u32>>,
    response_headers: Option<TypedFunc<(u32, u32, u32), u32>>,
    response_body: Option<TypedFunc<(u32, u32, u32), u32>>,
    response_trailers: Option<TypedFunc<(u32, u32), u32>>,
    http_call_response: Option<TypedFunc<AnswerTold, ()>>,
    tick: Option<TypedFunc<u32, ()>>,
    done: Option<TypedFunc<u32, u32>>,
    log: Option<TypedFunc<u32, ()>>,
    delete: Option<TypedFunc<u32, ()>>,
}

/// The context, the call, and how much there is of headers, body and trailers.
type AnswerTold = (u32, u32, u32, u32, u32);

/// The side of a stream that is told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    Request,
    Response,
}

impl Vm {
    /// Makes an instance and starts it, in the order of the specification.
    ///
    /// # Errors
    /// It broke, or refused its configuration.
    pub(super) fn start(compiled: &Compiled, shared: &Arc<Shared>) -> Result<Self, Refusal> {
        let limits = shared.limits;
        let bounds = StoreLimitsBuilder::new()
            .memory_size(limits.memory_bytes)
            .table_elements(limits.table_elements)
            .instances(1)
            .memories(1)
            .tables(TABLES_MAX)
            .build();
        let machine = &compiled.machine;
        let mut store = Store::new(&machine.engine, Host::new(Arc::clone(shared), bounds));
        store.limiter(|host| &mut host.limits);
        // One time for all of it: what loops at its start does not loop four times as long.
        store.set_epoch_deadline(machine.ticks(limits.start));
        let running = machine.runs();
        let broke = |error: wasmtime::Error| Refusal::Start(words(&error));
        let instance = compiled.module.instantiate(&mut store).map_err(broke)?;
        let mut vm = Self {
            store,
            machine: Arc::clone(machine),
            callbacks: Callbacks::default(),
            broken: None,
            last_context: ROOT,
        };
        vm.link(&instance).map_err(broke)?;
        vm.initialize(&instance).map_err(broke)?;
        let is_taken = vm.configure(&instance).map_err(broke)?;
        drop(running);
        if is_taken { Ok(vm) } else { Err(Refusal::Configuration) }
    }

    fn link(&mut self, instance: &Instance) -> wasmtime::Result<()> {
        let store = &mut self.store;
        let memory = instance.get_memory(&mut *store, "memory");
        let allocate = optional(store, instance, "proxy_on_memory_allocate")?;
        let allocate = match allocate {
            Some(allocate) => Some(allocate),
            None => optional(store, instance, "malloc")?,
        };
        self.callbacks = Callbacks {
            context_create: optional(store, instance, "proxy_on_context_create")?,
            request_headers: optional(store, instance, "proxy_on_request_headers")?,
            request_body: optional(store, instance, "proxy_on_request_body")?,
            request_trailers: optional(store, instance, "proxy_on_request_trailers")?,
            response_headers: optional(store, instance, "proxy_on_response_headers")?,
            response_body: optional(store, instance, "proxy_on_response_body")?,
            response_trailers: optional(store, instance, "proxy_on_response_trailers")?,
            http_call_response: optional(store, instance, "proxy_on_http_call_response")?,
            tick: optional(store, instance, "proxy_on_tick")?,
            done: optional(store, instance, "proxy_on_done")?,
            log: optional(store, instance, "proxy_on_log")?,
            delete: optional(store, instance, "proxy_on_delete")?,
        };
        let host = store.data_mut();
        (host.memory, host.allocate) = (memory, allocate);
        Ok(())
    }

    fn initialize(&mut self, instance: &Instance) -> wasmtime::Result<()> {
        let store = &mut self.store;
        if let Some(initialize) = optional::<(), ()>(store, instance, "_initialize")? {
            initialize.call(&mut *store, ())?;
            if let Some(main) = optional::<(u32, u32), u32>(store, instance, "main")? {
                main.call(store, (0, 0))?;
            }
        } else if let Some(start) = optional::<(), ()>(store, instance, "_start")? {
            start.call(store, ())?;
        }
        Ok(())
    }

    /// Whether the module takes its configuration.
    fn configure(&mut self, instance: &Instance) -> wasmtime::Result<bool> {
        let store = &mut self.store;
        store.data_mut().is_configured_now = true;
        if let Some(create) = self.callbacks.context_create.clone() {
            create.call(&mut *store, (ROOT, 0))?;
        }
        let length = u32::try_from(store.data().shared.configuration.len()).unwrap_or(u32::MAX);
        for (name, length) in [("proxy_on_vm_start", 0), ("proxy_on_configure", length)] {
            let callback: Option<TypedFunc<(u32, u32), u32>> = optional(store, instance, name)?;
            if let Some(callback) = callback
                && callback.call(&mut *store, (ROOT, length))? == 0
            {
                return Ok(false);
            }
        }
        store.data_mut().is_configured_now = false;
        Ok(true)
    }

    pub(super) fn is_broken(&self) -> bool {
        self.broken.is_some()
    }

    pub(super) fn host(&mut self) -> &mut Host {
        self.store.data_mut()
    }

    pub(super) fn tick_period(&self) -> Option<Duration> {
        self.store.data().tick.filter(|_| self.callbacks.tick.is_some() && self.broken.is_none())
    }

    /// A context for a stream; its number.
    pub(super) fn open(&mut self, stream: Stream) -> Result<u32, Broken> {
        // Numbers are not used again while a stream may have them.
        loop {
            self.last_context = self.last_context.checked_add(1).unwrap_or(ROOT + 1);
            if !self.store.data().streams.contains_key(&self.last_context) {
                break;
            }
        }
        let context = self.last_context;
        self.host().streams.insert(context, stream);
        if let Some(create) = self.callbacks.context_create.clone() {
            self.call(context, &create, (context, ROOT))?;
        }
        Ok(context)
    }

    /// Tells of headers, which the stream has.
    pub(super) fn headers(
        &mut self,
        context: u32,
        direction: Direction,
        ends: bool,
    ) -> Result<Action, Broken> {
        let callback = match direction {
            Direction::Request => self.callbacks.request_headers.clone(),
            Direction::Response => self.callbacks.response_headers.clone(),
        };
        let Some(callback) = callback else { return Ok(Action::Continue) };
        let side = self.side(context, direction);
        let count = side.and_then(|side| side.headers.as_ref()).map_or(0, Fields::count);
        self.ask(context, direction, &callback, (context, count, u32::from(ends)))
    }

    /// Whether the module wants to hear of bodies.
    pub(super) fn hears_bodies(&self, direction: Direction) -> bool {
        match direction {
            Direction::Request => {
                self.callbacks.request_body.is_some() || self.callbacks.request_trailers.is_some()
            }
            Direction::Response => {
                self.callbacks.response_body.is_some() || self.callbacks.response_trailers.is_some()
            }
        }
    }

    /// Tells of the part of a body that the stream has.
    pub(super) fn body(&mut self, context: u32, direction: Direction, ends: bool) -> Result<Action, Broken> {
        let callback = match direction {
            Direction::Request => self.callbacks.request_body.clone(),
            Direction::Response => self.callbacks.response_body.clone(),
        };
        let Some(callback) = callback else { return Ok(Action::Continue) };
        let side = self.side(context, direction);
        let length = side.and_then(|side| side.body.as_ref()).map_or(0, Vec::len);
        let length = u32::try_from(length).unwrap_or(u32::MAX);
        self.ask(context, direction, &callback, (context, length, u32::from(ends)))
    }

    /// Tells of trailers, which the stream has.
    pub(super) fn trailers(&mut self, context: u32, direction: Direction) -> Result<Action, Broken> {
        let callback = match direction {
            Direction::Request => self.callbacks.request_trailers.clone(),
            Direction::Response => self.callbacks.response_trailers.clone(),
        };
        let Some(callback) = callback else { return Ok(Action::Continue) };
        let side = self.side(context, direction);
        let count = side.and_then(|side| side.trailers.as_ref()).map_or(0, Fields::count);
        self.ask(context, direction, &callback, (context, count))
    }

    /// Tells of the end of a stream, which is no more after it.
    pub(super) fn close(&mut self, context: u32) {
        if let Some(done) = self.callbacks.done.clone() {
            // A module that wants more time for a stream gets none: what it does later is its own context's.
            let _ = self.call(context, &done, context);
        }
        for callback in [self.callbacks.log.clone(), self.callbacks.delete.clone()].into_iter().flatten() {
            let _ = self.call(context, &callback, context);
        }
        self.host().streams.remove(&context);
    }

    pub(super) fn tick(&mut self) {
        if let Some(tick) = self.callbacks.tick.clone() {
            let _ = self.call(ROOT, &tick, ROOT);
        }
    }

    /// Tells of the answer to a call; `None`: there is none.
    pub(super) fn answered(&mut self, call: u32, answer: Option<Whole>) {
        let Some(callback) = self.callbacks.http_call_response.clone() else { return };
        let length = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
        let told = answer.as_ref().map_or((0, 0, 0), |answer| {
            (length(answer.headers.len() + 1), length(answer.body.len()), length(answer.trailers.len()))
        });
        self.host().answer = answer;
        self.host().calls_open = self.host().calls_open.saturating_sub(1);
        let _ = self.call(ROOT, &callback, (ROOT, call, told.0, told.1, told.2));
        self.host().answer = None;
    }

    fn side(&mut self, context: u32, direction: Direction) -> Option<&mut super::host::Side> {
        Some(self.host().streams.get_mut(&context)?.side(direction))
    }

    fn ask<P: WasmParams>(
        &mut self,
        context: u32,
        direction: Direction,
        callback: &TypedFunc<P, u32>,
        parameters: P,
    ) -> Result<Action, Broken> {
        if let Some(side) = self.side(context, direction) {
            side.is_paused = true;
        }
        let answer = self.call(context, callback, parameters)?;
        let Some(side) = self.side(context, direction) else { return Ok(Action::Continue) };
        // It may have gone on while it was asked.
        side.is_paused &= answer != 0;
        Ok(if side.is_paused { Action::Pause } else { Action::Continue })
    }

    fn call<P: WasmParams, R: WasmResults>(
        &mut self,
        context: u32,
        callback: &TypedFunc<P, R>,
        parameters: P,
    ) -> Result<R, Broken> {
        if self.broken.is_some() {
            return Err(Broken);
        }
        let limits = self.machine.limits;
        let host = self.store.data_mut();
        (host.current, host.effective, host.is_allocating) = (context, 0, false);
        self.store.set_epoch_deadline(self.machine.ticks(limits.call));
        let running = self.machine.runs();
        let result = callback.call(self.store.as_context_mut(), parameters);
        drop(running);
        result.map_err(|error| {
            let why = words(&error);
            let host = self.store.data_mut();
            host.shared.log(4, format!("an instance broke: {why}").as_bytes());
            // Whoever waits for it learns of it.
            host.streams.values().for_each(|stream| stream.wake.notify_waiters());
            self.broken = Some(why);
            Broken
        })
    }
}

fn words(error: &wasmtime::Error) -> String {
    match error.downcast_ref::<Trap>() {
        Some(Trap::Interrupt) => "it took too long".to_owned(),
        Some(trap) => trap.to_string(),
        None => error.root_cause().to_string(),
    }
}

/// An export, where it is there; one of another type is none.
fn optional<P: WasmParams, R: WasmResults>(
    store: &mut Store<Host>,
    instance: &Instance,
    name: &str,
) -> wasmtime::Result<Option<TypedFunc<P, R>>> {
    instance.get_func(&mut *store, name).map(|function| function.typed(&*store)).transpose()
}
