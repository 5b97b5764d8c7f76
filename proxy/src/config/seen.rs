//! What a file looked like when it was read, so that a change of it can be noticed.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// A file and its look. Paths are followed through links, so a link that is turned to another file is a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenFile {
    path: PathBuf,
    look: Option<Look>,
}

/// What every way to change a file changes: writing into it, putting another in its place, permitting to read it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Look {
    device: u64,
    inode: u64,
    bytes: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl SeenFile {
    /// The file as it looks now, or that there is none. To be taken before the file is read: then a change meanwhile is
    /// noticed later.
    pub fn now(path: &Path) -> Self {
        let look = fs::metadata(path).ok().map(|file| Look {
            device: file.dev(),
            inode: file.ino(),
            bytes: file.size(),
            modified: (file.mtime(), file.mtime_nsec()),
            changed: (file.ctime(), file.ctime_nsec()),
        });
        Self { path: path.to_owned(), look }
    }

    /// The same file as it looks by now.
    #[must_use]
    pub fn again(&self) -> Self {
        Self::now(&self.path)
    }
}

#[cfg(test)]
mod tests {
    //! Every way a file changes under its path.

    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[track_caller]
    fn check(change: impl FnOnce(&Path)) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("proxy.toml");
        fs::write(folder.path().join("first"), "one").unwrap();
        fs::write(folder.path().join("second"), "two").unwrap();
        symlink("first", &path).unwrap();
        let seen = SeenFile::now(&path);
        assert_eq!(seen.again(), seen, "nothing has changed yet");
        change(folder.path());
        assert_ne!(seen.again(), seen);
    }

    #[test]
    fn writing_into_a_file_is_a_change() {
        check(|folder| fs::write(folder.join("first"), "more").unwrap());
    }

    #[test]
    fn a_file_renamed_into_its_place_is_a_change() {
        check(|folder| fs::rename(folder.join("second"), folder.join("first")).unwrap());
    }

    #[test]
    fn a_link_that_is_turned_is_a_change() {
        check(|folder| {
            symlink("second", folder.join("new")).unwrap();
            fs::rename(folder.join("new"), folder.join("proxy.toml")).unwrap();
        });
    }

    #[test]
    fn removing_a_file_is_a_change() {
        check(|folder| fs::remove_file(folder.join("first")).unwrap());
    }

    #[test]
    fn permitting_to_read_a_file_is_a_change() {
        check(|folder| fs::set_permissions(folder.join("first"), fs::Permissions::from_mode(0o600)).unwrap());
    }
}
