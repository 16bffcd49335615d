//! Envoy's response flags: short names of access logs, long names, bits of the CEL attribute `response.flags`.
//! Spec: Envoy, source/common/stream_info/utility.h.

/// Short name, long name, bit; in the order in which Envoy lists them.
// Facts: Envoy's source/common/stream_info/utility.h (`CORE_RESPONSE_FLAGS`), envoy/stream_info/stream_info.h.
pub const RESPONSE_FLAGS: [(&str, &str, i64); 28] = [
    ("LH", "FailedLocalHealthCheck", 0x1),
    ("UH", "NoHealthyUpstream", 0x2),
    ("UT", "UpstreamRequestTimeout", 0x4),
    ("LR", "LocalReset", 0x8),
    ("UR", "UpstreamRemoteReset", 0x10),
    ("UF", "UpstreamConnectionFailure", 0x20),
    ("UC", "UpstreamConnectionTermination", 0x40),
    ("UO", "UpstreamOverflow", 0x80),
    ("NR", "NoRouteFound", 0x100),
    ("DI", "DelayInjected", 0x200),
    ("FI", "FaultInjected", 0x400),
    ("RL", "RateLimited", 0x800),
    ("UAEX", "UnauthorizedExternalService", 0x1000),
    ("RLSE", "RateLimitServiceError", 0x2000),
    ("DC", "DownstreamConnectionTermination", 0x4000),
    ("URX", "UpstreamRetryLimitExceeded", 0x8000),
    ("SI", "StreamIdleTimeout", 0x1_0000),
    ("IH", "InvalidEnvoyRequestHeaders", 0x2_0000),
    ("DPE", "DownstreamProtocolError", 0x4_0000),
    ("UMSDR", "UpstreamMaxStreamDurationReached", 0x8_0000),
    ("RFCF", "ResponseFromCacheFilter", 0x10_0000),
    ("NFCF", "NoFilterConfigFound", 0x20_0000),
    ("DT", "DurationTimeout", 0x40_0000),
    ("UPE", "UpstreamProtocolError", 0x80_0000),
    ("NC", "NoClusterFound", 0x100_0000),
    ("OM", "OverloadManagerTerminated", 0x200_0000),
    ("DF", "DnsResolutionFailed", 0x400_0000),
    ("DO", "DropOverload", 0x800_0000),
];

fn known(flags: &str) -> impl Iterator<Item = &'static (&'static str, &'static str, i64)> {
    flags.split(',').filter_map(|flag| RESPONSE_FLAGS.iter().find(|(short, ..)| *short == flag))
}

/// The long names of flags (`UF,URX`), joined by commas; `None`: there is no flag.
pub(super) fn long(flags: &str) -> Option<String> {
    let names: Vec<&str> = known(flags).map(|(_, long, _)| *long).collect();
    (!names.is_empty()).then(|| names.join(","))
}

/// The bits of flags.
pub fn bits(flags: &str) -> i64 {
    known(flags).fold(0, |bits, (_, _, bit)| bits | bit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_have_names_and_bits_of_their_own() {
        assert_eq!(long("UF,URX").as_deref(), Some("UpstreamConnectionFailure,UpstreamRetryLimitExceeded"));
        assert_eq!((long("-"), long(""), bits("-")), (None, None, 0));
        assert_eq!(bits("UF,URX"), 0x8020);
        let all = RESPONSE_FLAGS.iter().fold(0, |all, (.., bit)| all | bit);
        assert_eq!(all, 0xfff_ffff, "28 bits, each once");
    }

    #[test]
    fn the_table_is_that_of_the_ledger() {
        let Some(shared) = std::env::var_os("MESH_SHARED") else { return };
        let ledger =
            std::fs::read_to_string(std::path::Path::new(&shared).join("ledger/response_flags.tsv")).unwrap();
        let mut wanted: Vec<_> = ledger
            .lines()
            .filter_map(|line| line.strip_prefix("envoy\t")?.split_once('\t'))
            .filter(|(short, _)| *short != "-")
            .collect();
        let mut ours: Vec<_> = RESPONSE_FLAGS.iter().map(|(short, long, _)| (*short, *long)).collect();
        wanted.sort_unstable();
        ours.sort_unstable();
        assert_eq!(ours, wanted);
    }
}
