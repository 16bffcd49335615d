//! Objects of one kind put together as the mesh sees them: delegates and short names in VirtualServices, DestinationRules of one host.

pub mod cluster_local;
pub mod destination_rule;
pub mod gateway_api;
pub mod ingress;
pub mod virtual_service;
