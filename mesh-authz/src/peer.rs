//! PeerAuthentication: which ports of a workload accept what (S-001 to S-030).
