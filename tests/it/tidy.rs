//! Checks the code itself: the rules that matter enough to be held by a test, each with its reason in its message.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use toml::{Table, Value};

/// A file of the repository.
struct File {
    /// From the repository's root, with `/` on every system.
    path: String,
    text: String,
}

const CRATES: [&str; 6] = ["tds", "link-control", "proxy", "sandbox", "tests", "benches"];

const FILE_LINES_MAX: usize = 500;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Every Rust file, without what is built, fetched or found by fuzzing.
fn rust_files() -> Vec<File> {
    let mut files = Vec::new();
    let mut folders = vec![root()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            let skipped = name.starts_with('.') || ["target", "node_modules", "corpus", "artifacts"].contains(&&*name);
            if path.is_dir() && !skipped {
                folders.push(path);
            } else if name.ends_with(".rs") {
                let text = fs::read_to_string(&path).unwrap();
                let path = path.strip_prefix(root()).unwrap().to_string_lossy().replace('\\', "/");
                files.push(File { path, text });
            }
        }
    }
    assert!(files.len() > 50, "the walk found only {} files", files.len());
    files
}

/// The files whose path begins with `prefix`.
fn under(prefix: &str) -> Vec<File> {
    let files: Vec<_> = rust_files().into_iter().filter(|file| file.path.starts_with(prefix)).collect();
    assert!(!files.is_empty(), "nothing is under {prefix}");
    files
}

fn manifest(name: &str) -> Table {
    read(&format!("{name}/Cargo.toml")).parse().unwrap()
}

/// The names a manifest lists in these sections.
fn dependencies(manifest: &Table, sections: &[&str]) -> BTreeSet<String> {
    let tables = sections.iter().filter_map(|section| manifest.get(*section)?.as_table());
    tables.flat_map(|table| table.keys().cloned()).collect()
}

/// Fails with every line that `is_wrong` finds, and the reason.
#[track_caller]
fn check_lines(files: &[File], reason: &str, is_wrong: impl Fn(&str) -> bool) {
    let wrong_in = |file: &File| -> Vec<String> {
        let lines = file.text.lines().enumerate().filter(|(_, line)| is_wrong(line));
        lines.map(|(index, line)| format!("{}:{}: {}", file.path, index + 1, line.trim())).collect()
    };
    let wrong: Vec<_> = files.iter().flat_map(wrong_in).collect();
    assert!(wrong.is_empty(), "{reason}\n{}", wrong.join("\n"));
}

/// Fails with every file that `is_wrong` finds, and the reason.
#[track_caller]
fn check_files(files: &[File], reason: &str, is_wrong: impl Fn(&File) -> bool) {
    let wrong: Vec<_> = files.iter().filter(|file| is_wrong(file)).map(|file| &*file.path).collect();
    assert!(wrong.is_empty(), "{reason}\n{}", wrong.join("\n"));
}

#[test]
fn every_file_says_in_its_first_line_what_it_owns() {
    check_files(&rust_files(), "the first line is `//!` and says what the file owns", |file| {
        !file.text.lines().next().is_some_and(|first| first.starts_with("//! "))
    });
}

#[test]
fn no_file_is_longer_than_500_lines() {
    check_files(&rust_files(), "split it: 80 to 300 lines are read with ease", |file| {
        file.text.lines().count() > FILE_LINES_MAX
    });
}

#[test]
fn a_module_is_a_file_beside_its_folder() {
    check_files(&rust_files(), "`foo.rs` beside `foo/`, so that tabs can be told apart", |file| {
        file.path.ends_with("/mod.rs")
    });
}

#[test]
fn nothing_is_left_for_later() {
    // In pieces, so that this file does not find itself.
    let words = [["TO", "DO"], ["FIX", "ME"], ["unimple", "mented!"], ["to", "do!"], ["#[ig", "nore"]]
        .map(|word| word.concat());
    check_lines(&rust_files(), "finish it, or write an issue", |line| {
        words.iter().any(|word| line.contains(word.as_str()))
    });
}

#[test]
fn the_wire_needs_no_socket_and_no_clock() {
    let got = dependencies(&manifest("tds"), &["dependencies", "build-dependencies"]);
    let want = ["bytes", "encoding_rs", "thiserror"].map(str::to_owned);
    assert_eq!(got, want.into(), "tds turns bytes into values; whoever reads sockets depends on it, never the reverse");
    check_lines(&under("tds/src/"), "tds reads no socket, no clock and no file", |line| {
        ["std::net", "std::fs", "std::time::Instant", "SystemTime", "tokio"].iter().any(|word| line.contains(word))
            && !line.trim_start().starts_with("//")
    });
}

#[test]
fn the_data_path_does_not_use_a_driver_or_the_simulation() {
    let all = ["dependencies", "dev-dependencies", "build-dependencies"];
    for name in ["tds", "proxy"] {
        assert!(
            !dependencies(&manifest(name), &all).contains("tiberius"),
            "{name}: the driver is for link-control and tests"
        );
    }
    for name in ["tds", "link-control", "proxy"] {
        assert!(
            !dependencies(&manifest(name), &all).contains("sandbox"),
            "{name}: the simulation is in no production binary"
        );
    }
    for (name, other) in [("tds", "link-control"), ("link-control", "tds"), ("link-control", "proxy")] {
        assert!(!dependencies(&manifest(name), &all).contains(other), "{name} does not know {other}");
    }
}

#[test]
fn the_data_path_knows_the_topology_and_nothing_else_of_the_link() {
    check_lines(&under("proxy/src/"), "the data path never waits for the control path", |line| {
        line.split("link_control::").skip(1).any(|rest| !rest.starts_with("topology"))
    });
}

#[test]
fn sockets_are_opened_and_read_in_one_place() {
    // What the operator's own program prints is no socket.
    let pipe = |file: &File| file.path == "proxy/src/identity/command.rs";
    let elsewhere = under("proxy/src/").into_iter();
    let elsewhere = elsewhere.filter(|file| !is_net(&file.path) && !is_test(&file.path) && !pipe(file));
    let elsewhere: Vec<_> = elsewhere.collect();
    let words = ["TcpListener", "TcpStream::", "TcpSocket", "UdpSocket", "UnixStream", "socket2", "AsyncReadExt"];
    check_lines(&elsewhere, "net opens and reads sockets, the listeners accept them", |line| {
        words.iter().any(|word| line.contains(word))
    });
}

fn is_net(path: &str) -> bool {
    ["net.rs", "net/", "listener.rs", "browser.rs", "admin.rs", "admin/"]
        .iter()
        .any(|place| path.starts_with(&format!("proxy/src/{place}")))
}

/// Tests play the peers, so they open sockets of their own.
fn is_test(path: &str) -> bool {
    path.ends_with("/tests.rs") || path.contains("/tests/")
}

#[test]
fn every_crate_has_the_licence_the_lints_and_the_shared_versions() {
    let workspace: Table = read("Cargo.toml").parse().unwrap();
    let package = &workspace["workspace"]["package"];
    assert_eq!(package["license"].as_str(), Some("MIT OR Apache-2.0"));
    assert!(package.get("rust-version").is_some());
    let members: BTreeSet<_> =
        workspace["workspace"]["members"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert_eq!(members, CRATES.into());
    for name in CRATES {
        let manifest = manifest(name);
        for field in ["license", "version", "edition", "rust-version"] {
            assert_eq!(manifest["package"][field]["workspace"].as_bool(), Some(true), "{name}: {field}");
        }
        assert_eq!(manifest["lints"]["workspace"].as_bool(), Some(true), "{name}: the shared lints");
        for section in ["dependencies", "dev-dependencies"] {
            for (dependency, value) in manifest.get(section).and_then(Value::as_table).into_iter().flatten() {
                let shared = value.get("workspace").and_then(Value::as_bool) == Some(true);
                assert!(shared, "{name}: the version of {dependency} belongs into the root's Cargo.toml");
            }
        }
    }
}

#[test]
fn the_documents_every_project_has_are_there() {
    let documents = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md", "LICENSE-MIT"];
    for document in
        documents.into_iter().chain(["LICENSE-APACHE", "config.example.toml", "docs/operations.md", "docs/routing.md"])
    {
        assert!(read(document).len() > 200, "{document} says next to nothing");
    }
}

#[test]
fn the_commands_of_readme_are_those_that_are_checked() {
    let (readme, run) = (read("README.md"), read(".ci/run"));
    for command in ["cargo run --release -p sandbox", "cargo test --workspace"] {
        assert!(
            readme.lines().any(|line| line.trim() == command),
            "README.md does not show `{command}` on a line of its own"
        );
    }
    assert!(run.contains(" cargo test --workspace"), ".ci/run does not run README's tests");
}

#[test]
fn files_that_documents_name_are_there() {
    let documents =
        ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md", "docs/operations.md", "docs/routing.md"];
    let mut named = 0;
    for document in documents {
        let text = read(document);
        // Text between backticks is every second piece.
        for path in text.split('`').skip(1).step_by(2).filter(|piece| is_path(piece)) {
            named += 1;
            assert!(root().join(path).exists(), "{document} names `{path}`, which there is not");
        }
    }
    assert!(named > 20, "only {named} paths were found in the documents");
}

/// A path from the root: it begins with a folder of ours and has no blanks or placeholders.
fn is_path(piece: &str) -> bool {
    let folders = CRATES.iter().chain(&["docs", ".ci"]);
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-".contains(&byte);
    piece.bytes().all(plain) && folders.into_iter().any(|folder| piece.starts_with(&format!("{folder}/")))
}

#[test]
fn every_metric_is_in_the_operators_table() {
    let operations = read("docs/operations.md");
    let code = read("proxy/src/metrics.rs");
    let consts = code.lines().filter(|line| line.starts_with("pub const ") && line.contains(": &str = "));
    let names: Vec<_> = consts.filter_map(|line| line.split('"').nth(1)).collect();
    assert!(names.len() >= 10, "only {names:?} were found");
    for name in &names {
        assert!(operations.contains(&format!("| `{name}`")), "docs/operations.md has no row for {name}");
    }
    let rows = operations.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    let described = rows.filter(|name| name.starts_with("proxy_") || name.starts_with("link_"));
    for name in described {
        assert!(names.contains(&name), "docs/operations.md describes {name}, which there is not");
    }
}
