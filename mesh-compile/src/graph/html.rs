//! One page that needs nothing else: the picture with pan, zoom, search and details.
//! Ours: a picture that can be mailed needs no server and no network.

use super::MeshGraph;

const PAGE: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// Prints a graph as a page of its own. Text of the configuration is data to it, never markup.
pub fn html(graph: &MeshGraph, title: &str) -> String {
    let data = serde_json::to_string(graph).unwrap_or_else(|_| "{\"nodes\":[],\"edges\":[]}".to_owned());
    let mut page = String::new();
    for part in PAGE.split_inclusive("}}") {
        let (text, name) = part.split_once("{{").unwrap_or((part, ""));
        page.push_str(text);
        match name {
            "title}}" => page.push_str(&escaped(title)),
            "style}}" => page.push_str(STYLE),
            "script}}" => page.push_str(SCRIPT),
            "data}}" => page.push_str(&inert(&data)),
            _ => {}
        }
    }
    page
}

/// Text of a page.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// JSON inside a `script` element: without the characters that could end it.
fn inert(json: &str) -> String {
    json.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026")
}
