//! The memory of an instance, read and written within its bounds.

use wasmtime::{Caller, Result};

use super::host::Host;
use super::status::{self, Status};

/// The module does not own these bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Outside;

/// Bytes of the module, copied; `max`: what is longer is not asked for by anybody.
pub(super) fn read(
    caller: &mut Caller<'_, Host>,
    at: u32,
    length: u32,
    max: usize,
) -> Result<Vec<u8>, Outside> {
    let length = usize::try_from(length).map_err(|_| Outside)?;
    let (memory, _) = parts(caller)?;
    let at = usize::try_from(at).map_err(|_| Outside)?;
    let bytes = memory.get(at..at.checked_add(length).ok_or(Outside)?).ok_or(Outside)?;
    Ok(bytes.get(..max).unwrap_or(bytes).to_vec())
}

/// The memory, and the state beside it.
pub(super) fn parts<'c>(caller: &'c mut Caller<'_, Host>) -> Result<(&'c mut [u8], &'c mut Host), Outside> {
    let memory = caller.data().memory.ok_or(Outside)?;
    Ok(memory.data_and_store_mut(caller))
}

pub(super) fn write(caller: &mut Caller<'_, Host>, at: u32, bytes: &[u8]) -> Result<(), Outside> {
    let (memory, _) = parts(caller)?;
    let at = usize::try_from(at).map_err(|_| Outside)?;
    let place = memory.get_mut(at..at.checked_add(bytes.len()).ok_or(Outside)?).ok_or(Outside)?;
    place.copy_from_slice(bytes);
    Ok(())
}

pub(super) fn write_u32(caller: &mut Caller<'_, Host>, at: u32, value: u32) -> Result<(), Outside> {
    write(caller, at, &value.to_le_bytes())
}

/// Hands bytes over: the module gives memory for them, and is told where they are.
///
/// # Errors
/// The module broke while it gave memory.
pub(super) fn give(
    caller: &mut Caller<'_, Host>,
    bytes: &[u8],
    at_pointer: u32,
    at_length: u32,
) -> Result<Status> {
    let place = match allocate(caller, bytes)? {
        Ok(place) => place,
        Err(status) => return Ok(status),
    };
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    let told = write_u32(caller, at_pointer, place).and_then(|()| write_u32(caller, at_length, length));
    Ok(if told.is_ok() { status::OK } else { status::INVALID_MEMORY_ACCESS })
}

fn allocate(caller: &mut Caller<'_, Host>, bytes: &[u8]) -> Result<Result<u32, Status>> {
    if bytes.is_empty() {
        return Ok(Ok(0));
    }
    let length = u32::try_from(bytes.len())?;
    // A module that asks for more while it gives memory would go on for ever.
    let Some(allocate) = caller.data().allocate.clone().filter(|_| !caller.data().is_allocating) else {
        return Ok(Err(status::INTERNAL_FAILURE));
    };
    caller.data_mut().is_allocating = true;
    let place = allocate.call(&mut *caller, length);
    caller.data_mut().is_allocating = false;
    let place = place?;
    if place == 0 || write(caller, place, bytes).is_err() {
        return Ok(Err(status::INVALID_MEMORY_ACCESS));
    }
    Ok(Ok(place))
}
