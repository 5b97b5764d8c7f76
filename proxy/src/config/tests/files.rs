//! Certificates, keys and roots: what is wrong with a file is said without showing what is in it.

use std::fs;

use rcgen::{CertificateParams, KeyPair};
use tempfile::TempDir;

use super::*;

/// A folder with a certificate and its key, a second key, and a file that is neither.
pub(super) fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec!["localhost".to_owned()]).unwrap().self_signed(&key).unwrap();
    let write = |name: &str, text: String| fs::write(folder.path().join(name), text).unwrap();
    write("server.pem", certificate.pem());
    write("ca.pem", certificate.pem());
    write("server.key", key.serialize_pem());
    write("other.key", KeyPair::generate().unwrap().serialize_pem());
    write("words.txt", "hush-hush".to_owned());
    write("mi.password", "hush-hush\n".to_owned());
    write("probe.password", "hush-hush\n".to_owned());
    write("empty.txt", String::new());
    folder
}

/// Adds `lines` to the smallest configuration's service and compares every complaint, without the folder's path.
#[track_caller]
fn check(lines: &str, want: &[&str]) {
    let folder = folder();
    let text = SMALLEST.replace("encryption = \"off\"", lines);
    let got = Config::parse(&text, folder.path()).map(|_| String::new()).unwrap_or_else(|errors| errors.to_string());
    let got = got.replace("configuration:", "").replace(&format!("{}/", folder.path().display()), "");
    assert_eq!(got.lines().collect::<Vec<_>>(), want);
}

#[test]
fn a_certificate_with_its_key_is_taken_and_never_shown() {
    let folder = folder();
    let text = SMALLEST.replace("encryption = \"off\"", "certificate_file = \"server.pem\"\nkey_file = \"server.key\"");
    let config = Config::parse(&text, folder.path()).unwrap();
    let certificate = config.services[0].certificate.as_ref().unwrap();
    assert_eq!(certificate.chain().len(), 1);
    assert_eq!(certificate.clone().key(), certificate.key());
    assert_eq!(format!("{certificate:?}"), "ServerCertificate { certificates: 1, .. }");
}

#[test]
fn encryption_without_a_certificate_is_refused() {
    for encryption in ["", "encryption = \"login-only\"", "encryption = \"full\"", "encryption = \"strict\""] {
        check(
            encryption,
            &["13: services.main.certificate_file: is missing; write certificate_file and key_file, or \
                             encryption = \"off\" where the network is trusted"],
        );
    }
}

#[test]
fn a_certificate_and_its_key_come_together() {
    check(
        "certificate_file = \"server.pem\"",
        &[
            "13: services.main.key_file: is missing; write it beside `certificate_file`: a certificate is of use only with its key",
        ],
    );
    check(
        "encryption = \"off\"\nkey_file = \"server.key\"",
        &[
            "13: services.main.certificate_file: is missing; write it beside `key_file`: a certificate is of use only with its key",
        ],
    );
}

#[test]
fn a_key_of_another_certificate_is_refused() {
    check(
        "certificate_file = \"server.pem\"\nkey_file = \"other.key\"",
        &[
            "17: services.main.key_file: names other.key, which does not fit the certificate: keys may not be consistent: \
         KeyMismatch; name the key it was made with",
        ],
    );
}

#[test]
fn files_that_are_missing_or_something_else_are_named() {
    check(
        "certificate_file = \"nowhere.pem\"\nkey_file = \"words.txt\"",
        &[
            "16: services.main.certificate_file: names nowhere.pem, which cannot be read: No such file or directory (os error 2); \
         name a file that this user may read",
            "17: services.main.key_file: names words.txt, which holds no private key that can be read; name a PEM file with an \
         unencrypted -----BEGIN PRIVATE KEY----- block",
        ],
    );
    check(
        "certificate_file = \"words.txt\"\nkey_file = \"server.key\"",
        &[
            "16: services.main.certificate_file: names words.txt, which holds no certificate; name a file with -----BEGIN \
         CERTIFICATE----- blocks",
        ],
    );
}

#[test]
fn a_key_pasted_in_place_of_its_path_is_not_repeated() {
    check(
        "certificate_file = \"server.pem\"\nkey_file = \"\"\"-----BEGIN PRIVATE KEY-----\nhush\"\"\"",
        &["17: services.main.key_file: holds a PEM text itself; write the path of the file that holds it"],
    );
}

#[test]
fn the_roots_of_a_replica_are_read() {
    let folder = folder();
    let with = |lines: &str| SMALLEST.replace("\"sql01:1433\"", &format!("\"sql01:1433\"\n{lines}"));
    let config = Config::parse(&with("ca_file = \"ca.pem\""), folder.path()).unwrap();
    assert!(matches!(&config.replicas[1].trust, Trust::Roots(roots) if roots.len() == 1), "{:?}", config.replicas[1]);
    let errors = Config::parse(&with("ca_file = \"words.txt\""), folder.path()).unwrap_err();
    assert_eq!(errors.errors().iter().map(|error| error.line).collect::<Vec<_>>(), [Some(4)]);
    let errors = Config::parse(&with("trust = \"trust\"\nca_file = \"ca.pem\""), folder.path()).unwrap_err();
    assert_eq!(errors.errors().iter().map(|error| error.line).collect::<Vec<_>>(), [Some(5)]);
}

#[test]
fn a_file_is_named_in_front_of_its_mistakes() {
    let folder = folder();
    let path = folder.path().join("proxy.toml");
    let unreadable = Config::load(&path).unwrap_err().to_string();
    assert!(unreadable.starts_with(&format!("{}: cannot be read: ", path.display())), "{unreadable}");
    fs::write(&path, SMALLEST.replace("link = \"sales\"", "link = \"\"")).unwrap();
    let wrong = Config::load(&path).unwrap_err().to_string();
    let want = ":15: services.main.link: is empty; write for example link = \"sales\"";
    assert_eq!(wrong, format!("{}{want}", path.display()));
    fs::write(
        &path,
        SMALLEST.replace("encryption = \"off\"", "certificate_file = \"server.pem\"\nkey_file = \"server.key\""),
    )
    .unwrap();
    assert!(Config::load(&path).unwrap().services[0].certificate.is_some(), "paths are relative to the file's folder");
}
