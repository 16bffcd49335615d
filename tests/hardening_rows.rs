//! Which test stands for which row of the fault matrix: documents (Y), patterns and wildcards (R), names and addresses
//! (N), conflicts and precedence (K), changes of configuration (C), published vulnerabilities of configuration (#). The table is checked against the sources: a test that is renamed or removed is missed here.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::path::Path;

/// A row, the file, the tests in it.
const ROWS: &[(&str, &str, &[&str])] = &[
    ("Y01", YAML, &["y01_an_exponential_alias_bomb_is_refused"]),
    ("Y02", YAML, &["y02_a_byte_amplifying_alias_is_refused"]),
    ("Y03", YAML, &["y03_alias_problems_are_found_and_the_last_anchor_counts"]),
    ("Y04", YAML, &["y04_deep_nesting_is_refused_fast", "y04_aliases_cannot_build_depth"]),
    ("Y05", YAML, &["y05_sizes_are_bounded", "y05_many_documents_and_wide_maps_are_read_in_linear_time"]),
    ("Y05", "mesh-model/tests/memory.rs", &["y05_reading_costs_a_bounded_amount_of_memory"]),
    ("Y06", YAML, &["y06_long_scalars_keys_and_comments_are_read_or_refused"]),
    (
        "Y07",
        YAML,
        &["y07_duplicate_keys_name_both_places_and_the_last_wins", "y07_duplicates_are_found_in_large_maps"],
    ),
    ("Y08", YAML, &["y08_line_breaks_and_tabs"]),
    ("Y09", YAML, &["y09_encodings"]),
    ("Y09", RANDOM, &["y09_no_text_panics"]),
    ("Y10", VALUES, &["y10_ports_are_whole_and_in_range", "y10_whole_numbers_are_exact_or_refused"]),
    (
        "Y11",
        VALUES,
        &["y11_durations_and_shares_out_of_range_are_errors", "y11_durations_are_exact_or_refused"],
    ),
    ("Y12", YAML, &["y12_spellings_that_other_readers_read_differently_are_noted"]),
    ("Y13", YAML, &["y13_merge_keys_are_applied"]),
    (
        "Y14",
        YAML,
        &[
            "y14_foreign_tags_are_warnings_or_errors_in_strict_mode",
            "scalars_without_a_json_form_are_refused",
        ],
    ),
    ("Y15", DECODE, &["y15_unknown_fields_come_with_a_suggestion_and_do_not_spoil_the_value"]),
    (
        "Y16",
        DECODE,
        &[
            "y16_wrong_types_are_told_in_words_of_the_document",
            "null_is_not_set",
            "what_the_schema_refuses_is_an_error_and_is_read",
        ],
    ),
    ("Y16", VALUES, &["y16_empty_rules_are_not_one_empty_rule"]),
    ("Y17", VALUES, &["y17_choices_exclude_each_other", "y17_of_several_ways_to_say_it_one_is_taken"]),
    ("Y18", YAML, &["y18_a_bad_document_does_not_sink_the_others", "y18_lists_are_taken_apart"]),
    ("Y18", "mesh-model/src/object/header/tests.rs", &["y18_documents_that_are_no_resources_are_refused"]),
    ("Y19", "mesh-model/src/object/header/tests.rs", &["y19_names_follow_kubernetes"]),
    ("Y19", VALUES, &["y19_look_alikes_are_not_the_names_they_look_like"]),
    ("Y20", RANDOM, &["y20_json_and_yaml_of_a_value_read_the_same"]),
    ("Y21", RANDOM, &["y21_quoted_yaml_reads_as_serde_yaml_reads_it"]),
    ("Y21", "tests/shuffle.rs", &[]),
    ("Y22", RANDOM, &["y22_no_yaml_soup_panics"]),
    (
        "Y22",
        "mesh-model/tests/suites.rs",
        &[
            "y22_the_yaml_test_suite_is_read_as_it_says",
            "y22_json_that_must_be_read_is_read_as_json_readers_read_it",
        ],
    ),
    ("Y23", DECODE, &["what_the_schema_refuses_is_an_error_and_is_read"]),
    ("Y23", VALUES, &["y23_lists_indices_and_words_are_no_messages_enums_or_booleans"]),
    ("Y24", "tests/bad_input.rs", &["y24_no_finding_repeats_a_secret"]),
    ("Y24", YAML, &["a_secret_in_a_list_or_a_broken_document_is_not_repeated"]),
    ("R01", PATTERNS, &["r01_a_pattern_has_at_most_1024_bytes"]),
    ("R02", PATTERNS, &["r02_patterns_that_explode_are_refused_or_answered"]),
    (
        "R03",
        "mesh-model/src/value/regex/tests.rs",
        &["refuses_what_re2_or_go_refuses", "matches_what_re2_matches"],
    ),
    ("R03", PATTERNS, &["r03_other_dialects_are_refused_at_their_field"]),
    (
        "R04",
        PATTERN_MEMORY,
        &["r04_ten_thousand_hostile_patterns_cost_what_their_texts_cost_until_they_are_asked"],
    ),
    ("R04", PATTERNS, &["r04_many_hostile_patterns_in_one_mesh_are_answered"]),
    ("R05", PATTERNS, &["r05_long_and_odd_texts_are_matched"]),
    ("R06", PATTERNS, &["r06_a_regex_matches_the_whole_path"]),
    ("R07", "mesh-authz/src/pattern.rs", &["s119_leading_star_is_read_first", "s120_star_needs_a_character"]),
    ("R07", PATTERNS, &["r07_only_a_star_at_an_end_is_a_wildcard"]),
    (
        "R08",
        "mesh-model/src/value/path_template.rs",
        &["s188_to_s190_documented_templates_match_their_paths", "a_broken_template_is_refused"],
    ),
    (
        "N01",
        "mesh-model/src/value/ip_block.rs",
        &["blocks_are_canonical", "what_go_refuses_is_refused", "an_address_with_a_zone_is_no_range"],
    ),
    (
        "N01",
        "mesh-model/src/security/authorization_policy/tests.rs",
        &["n01_blocks_with_more_bits_than_count_and_zones_are_remarked"],
    ),
    ("N02", "mesh-model/src/value/ip_block.rs", &["families_do_not_mix_except_for_mapped_addresses"]),
    ("N03", PATTERNS, &["n03_a_hundred_thousand_blocks_are_one_policy"]),
    ("N04", PATTERNS, &["n04_hosts_are_names_wildcards_or_addresses"]),
    ("N04", "mesh-model/src/name/host_pattern.rs", &["only_the_first_label_may_hold_the_star"]),
    (
        "N05",
        "mesh-model/src/name/short_name.rs",
        &["what_is_not_a_bare_name_is_kept", "missing_parts_are_left_out"],
    ),
    (
        "K01",
        CONFLICTS,
        &["k01_of_two_virtual_services_for_a_host_the_older_has_it_on_sidecars_and_gateways_merge"],
    ),
    ("K01", ORDERS, &["k01_all_orders_of_the_virtual_services_of_one_host_compile_to_the_same"]),
    ("K01", "tests/shuffle.rs", &["the_order_of_the_shops_documents_means_nothing"]),
    (
        "K02",
        PRECEDENCE,
        &[
            "k02_destination_rules_of_the_client_go_before_the_services_and_these_before_the_root_namespaces",
            "k02_rules_of_one_namespace_merge_the_older_first_and_what_is_dropped_is_told",
        ],
    ),
    (
        "K03",
        PRECEDENCE,
        &[
            "k03_peer_authentication_goes_port_workload_namespace_mesh",
            "k03_of_two_of_one_level_the_older_counts_whole_and_the_other_is_told",
        ],
    ),
    (
        "K04",
        "mesh-authz/src/policy_set/tests/actions.rs",
        &[
            "k04_the_table_of_actions_and_rules_is_exact",
            "k04_custom_asks_first_and_what_it_cannot_ask_it_refuses",
        ],
    ),
    (
        "K04",
        "mesh-authz/src/policy_set/tests/scope.rs",
        &["s068_s073_references_are_for_gateways_of_the_gateway_api"],
    ),
    (
        "K05",
        CONFLICTS,
        &[
            "k05_a_host_in_two_namespaces_belongs_to_the_clients_own_and_is_not_captured_from_elsewhere",
            "row_35_a_virtual_service_of_another_namespace_takes_a_host_only_where_it_is_exported",
        ],
    ),
    (
        "K05",
        SAME_HOSTS,
        &[
            "k05_of_two_services_at_one_address_the_older_has_it_and_the_other_is_told",
            "k05_a_wildcard_never_takes_what_an_exact_host_has",
            "k05_a_kubernetes_service_keeps_its_host_from_older_service_entries",
            "k05_of_entries_with_other_resolutions_and_ports_one_namespaces_counts_whole",
            "k05_the_hijack_of_a_host_of_another_namespace_is_told",
            "k05_who_has_a_host_does_not_depend_on_the_order_in_which_they_come",
        ],
    ),
    (
        "K06",
        CONFLICTS,
        &[
            "k06_on_a_port_of_an_older_http_gateway_tls_is_refused_and_the_other_way_round_both_are_served",
            "row_33_a_gateway_takes_no_credential_of_another_namespace",
            "row_20_auto_passthrough_reaches_declared_hosts_alone",
        ],
    ),
    ("K07", CONFLICTS, &["k07_what_is_not_there_is_a_503_for_its_own_requests_alone"]),
    ("K08", CONFLICTS, &["k08_delegates_that_name_each_other_come_to_an_end"]),
    ("K09", CONFLICTS, &["k09_weights_that_come_to_nothing_leave_the_route_out"]),
    (
        "K10",
        PRECEDENCE,
        &["k10_clusters_without_usable_endpoints_are_there_and_empty_and_duplicates_are_one"],
    ),
    (
        "K11",
        PRECEDENCE,
        &["k11_equal_addresses_and_labels_of_other_namespaces_and_networks_do_not_mix_identities"],
    ),
    ("K12", PRECEDENCE, &["k12_selectors_that_select_nothing_or_everything_of_many_workloads_are_bounded"]),
    ("K13", PRECEDENCE, &["k13_one_change_of_many_objects_comes_to_what_a_fresh_start_comes_to"]),
    // The full size, with the times: `just deltas`, docs/performance.md.
    (
        "K13",
        "mesh-compile/tests/deltas.rs",
        &[
            "k13_each_change_of_one_object_comes_to_what_compiling_from_scratch_gives",
            "k13_many_changes_of_a_mesh_of_a_thousand_hosts_come_to_what_a_fresh_start_comes_to",
        ],
    ),
    ("C01", PRECEDENCE, &["c01_what_came_too_early_waits_for_the_rest_and_serves_nothing_meanwhile"]),
    ("C02", CONFLICTS, &["c02_a_key_that_flaps_ends_where_it_ends_and_leaves_nothing_behind"]),
    (
        "C02",
        "mesh-compile/tests/flapping.rs",
        &["c02_ten_thousand_updates_of_flapping_keys_keep_nothing_and_the_last_state_wins"],
    ),
    (
        "C02",
        "mesh-proxy-core/src/runtime/rest.rs",
        &["c02_ten_thousand_changes_a_second_are_read_twice_a_second_and_none_is_missed"],
    ),
    ("C02", STORM, &["c02_a_file_that_never_rests_is_followed_and_costs_no_memory"]),
    ("C03", ORDERS, &["c03_rolled_back_sets_are_identical_to_a_fresh_start_on_them"]),
    ("C03", STORM, &["c03_files_that_say_nothing_any_more_take_nothing_away_unless_they_may"]),
    ("C03", CONFLICTS, &["c03_taking_everything_away_leaves_what_nothing_leaves"]),
    ("C04", CONFLICTS, &["c04_a_bad_object_keeps_its_last_good_version_and_the_others_go_on"]),
    ("C07", CONFLICTS, &["c07_the_order_in_which_objects_come_means_nothing"]),
    (
        "C07",
        ORDERS,
        &[
            "c07_any_interleaving_of_versions_ends_in_the_newest_of_each",
            "c07_histories_with_removals_may_be_woven_in_any_way",
        ],
    ),
    (
        "C07",
        "mesh-model/src/config_set/tests.rs",
        &[
            "c07_older_versions_are_left_out_on_request",
            "c07_the_order_of_arrival_of_versions_does_not_matter",
        ],
    ),
    ("C10", CONFLICTS, &["c10_a_version_that_nobody_serves_is_refused_and_what_was_there_stays"]),
    ("K02", EACH_CASE, &["k02_of_two_subsets_of_one_name_in_one_rule_the_first_counts"]),
    ("K03", EACH_CASE, &["k03_a_port_that_no_service_has_gets_its_own_mode_and_the_others_keep_theirs"]),
    (
        "K06",
        EACH_CASE,
        &[
            "k06_one_host_of_two_gateways_is_served_by_both_over_http_and_by_the_older_over_tls",
            "k06_a_credential_that_is_missing_or_elsewhere_is_told_and_nothing_is_served_in_the_clear",
        ],
    ),
    ("K07", ODD_ROUTES, &["k07_every_reference_to_nothing_is_told_at_its_field"]),
    (
        "K08",
        ODD_ROUTES,
        &[
            "k08_a_delegate_of_a_delegate_is_not_followed",
            "k08_exports_that_contradict_each_other_are_told_and_come_to_what_istio_makes_of_them",
            "k08_sidecars_without_egress_two_of_them_and_hosts_that_nobody_knows",
        ],
    ),
    (
        "K09",
        ODD_ROUTES,
        &[
            "k09_weights_need_no_hundred_and_what_is_too_much_is_told",
            "k09_a_mirror_to_oneself_a_redirect_to_itself_and_a_rewrite_to_nothing_are_no_loops",
            "k09_timeouts_of_zero_are_none_and_no_attempts_are_no_retries",
        ],
    ),
    ("K10", EACH_CASE, &["k10_shares_for_places_where_nobody_is_and_endpoints_without_a_port"]),
    // What a proxy answers where nobody is there: 503 with the flag `UH`.
    ("K10", "tests/running_proxy/http.rs", &["no_endpoint_is_told_at_once"]),
    (
        "K11",
        EACH_CASE,
        &["k11_workload_entries_beside_pods_keep_their_own_identities_and_groups_are_no_endpoints"],
    ),
    (
        "K12",
        "mesh-compile/src/analyze/selectors.rs",
        &[
            "a_policy_of_the_root_namespace_reaches_all_and_another_its_own",
            "what_reaches_its_own_namespace_only_takes_nobody_elsewhere",
        ],
    ),
    ("K12", "tests/check_analysis.rs", &["k12_selectors_are_counted"]),
    ("K12", EACH_CASE, &["k12_an_empty_selector_selects_everybody_and_one_that_fits_nobody_nobody"]),
    ("C01", EACH_CASE, &["c01_a_gateway_before_its_certificate_serves_nothing_in_the_clear"]),
    ("C04", EACH_CASE, &["c04_an_object_that_was_never_good_is_out_and_the_others_are_in"]),
    (
        "C10",
        EACH_CASE,
        &[
            "c10_a_field_of_a_newer_version_closes_and_is_told",
            "c10_a_field_of_a_newer_version_is_left_out_of_what_only_routes",
        ],
    ),
    // Published vulnerabilities of the class configuration, by their number in the corpus; 36 and 47 are on the page of
    // the running proxy.
    ("#20", CONFLICTS, &["row_20_auto_passthrough_reaches_declared_hosts_alone"]),
    ("#28", CONFLICTS, &["c10_a_version_that_nobody_serves_is_refused_and_what_was_there_stays"]),
    ("#28", EACH_CASE, &["c10_a_field_of_a_newer_version_closes_and_is_told"]),
    ("#33", CONFLICTS, &["row_33_a_gateway_takes_no_credential_of_another_namespace"]),
    (
        "#35",
        CONFLICTS,
        &["row_35_a_virtual_service_of_another_namespace_takes_a_host_only_where_it_is_exported"],
    ),
    // Of 20, 28, 33 and 35 too.
    ("#38", "mesh-compile/tests/mutants.rs", &["every_planted_bug_is_told_from_ours"]),
    ("#49", PATTERNS, &["r05_long_and_odd_texts_are_matched"]),
    ("#50", PATTERNS, &["r01_a_pattern_has_at_most_1024_bytes"]),
    ("#50", CONFLICTS, &["row_50_a_regex_over_the_limit_costs_its_own_route_alone"]),
    ("#51", PRECEDENCE, &["row_51_templates_are_matched_in_linear_time"]),
    ("#52", PATTERNS, &["r02_patterns_that_explode_are_refused_or_answered"]),
    // There is no webhook: what may be long is a text.
    ("#53", YAML, &["y05_sizes_are_bounded", "y06_long_scalars_keys_and_comments_are_read_or_refused"]),
    ("#54", YAML, &["y01_an_exponential_alias_bomb_is_refused", "y02_a_byte_amplifying_alias_is_refused"]),
    ("#55", YAML, &["y03_alias_problems_are_found_and_the_last_anchor_counts"]),
    (
        "#56",
        YAML,
        &[
            "y02_a_byte_amplifying_alias_is_refused",
            "y05_many_documents_and_wide_maps_are_read_in_linear_time",
        ],
    ),
    ("#57", YAML, &["y04_deep_nesting_is_refused_fast"]),
    ("#57", "mesh-authz/src/jwt/tests.rs", &["b62_deep_nesting_is_refused_with_bounded_stack"]),
];

const YAML: &str = "mesh-model/src/yaml/tests.rs";
const RANDOM: &str = "mesh-model/src/yaml/tests/random.rs";
const DECODE: &str = "mesh-model/src/decode/tests.rs";
const VALUES: &str = "tests/bad_values.rs";
const PATTERNS: &str = "tests/bad_patterns.rs";
const PATTERN_MEMORY: &str = "tests/pattern_memory.rs";
const CONFLICTS: &str = "mesh-compile/tests/conflicts.rs";
const EACH_CASE: &str = "mesh-compile/tests/each_case.rs";
const ODD_ROUTES: &str = "mesh-compile/tests/odd_routes.rs";
const PRECEDENCE: &str = "mesh-compile/tests/precedence.rs";
const ORDERS: &str = "mesh-compile/tests/orders.rs";
const SAME_HOSTS: &str = "mesh-compile/tests/same_hosts.rs";
const STORM: &str = "tests/running_proxy/storm.rs";

#[test]
fn every_row_of_the_matrix_has_its_tests() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let wanted = (1..=24).map(|row| format!("Y{row:02}"));
    let wanted =
        wanted.chain((1..=8).map(|row| format!("R{row:02}"))).chain((1..=5).map(|row| format!("N{row:02}")));
    let wanted = wanted.chain((1..=13).map(|row| format!("K{row:02}")));
    let wanted = wanted.chain([1, 2, 3, 4, 7, 10].map(|row| format!("C{row:02}")));
    let corpus = [20, 28, 33, 35, 38, 49, 50, 51, 52, 53, 54, 55, 56, 57];
    let wanted = wanted.chain(corpus.map(|row| format!("#{row}")));
    for row in wanted {
        assert!(ROWS.iter().any(|(known, _, tests)| *known == row && !tests.is_empty()), "no test for {row}");
    }
    for (row, file, tests) in ROWS {
        let text =
            std::fs::read_to_string(root.join(file)).unwrap_or_else(|error| panic!("{row} {file}: {error}"));
        for test in *tests {
            let at = text
                .find(&format!("fn {test}("))
                .unwrap_or_else(|| panic!("{row}: no test `{test}` in {file}"));
            let before: String = text.get(..at).unwrap_or_default().chars().rev().take(80).collect();
            let before: String = before.chars().rev().collect();
            assert!(
                (before.contains("#[test]") || before.contains("#[tokio::test")),
                "{row}: `{test}` in {file} is no test"
            );
        }
    }
}

#[test]
fn every_test_named_after_a_row_is_in_the_table() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for file in [
        YAML,
        RANDOM,
        DECODE,
        VALUES,
        PATTERNS,
        "tests/bad_input.rs",
        "mesh-model/tests/memory.rs",
        "mesh-model/tests/suites.rs",
        CONFLICTS,
        PRECEDENCE,
        EACH_CASE,
        ODD_ROUTES,
        ORDERS,
        SAME_HOSTS,
        STORM,
        "mesh-compile/tests/deltas.rs",
        "mesh-compile/tests/flapping.rs",
    ] {
        let text = std::fs::read_to_string(root.join(file)).unwrap();
        for line in text.lines().filter_map(|line| line.trim().strip_prefix("fn ")) {
            let name = line.split('(').next().unwrap_or_default();
            let row = name.split('_').next().unwrap_or_default().to_ascii_uppercase();
            let is_row = row.len() == 3
                && row.starts_with(['Y', 'R', 'N', 'K', 'C'])
                && row.get(1..).is_some_and(|number| number.parse::<u8>().is_ok());
            assert!(!is_row || ROWS.iter().any(|(known, ..)| *known == row), "{file}: {name}");
        }
    }
}
