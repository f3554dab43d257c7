//! An area as a stage reads or writes it: a bucket, or a folder of this machine that is laid out the same.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use contract::Failure;
use rows::{Input, Ranges};
use store::{Copied, Object, Store, Upload, Write};
use tempfile::NamedTempFile;

/// Where files are read and written.
#[derive(Clone, Debug)]
pub enum Area {
    /// A bucket of S3.
    Bucket {
        /// S3.
        store: Store,
        /// Its name.
        bucket: String,
    },
    /// A folder of this machine.
    Folder(PathBuf),
}

impl Area {
    /// A bucket.
    pub fn bucket(store: &Store, bucket: &str) -> Self {
        Self::Bucket { store: store.clone(), bucket: bucket.into() }
    }

    /// The bucket's name, or the folder's path.
    pub fn name(&self) -> String {
        match self {
            Self::Bucket { bucket, .. } => bucket.clone(),
            Self::Folder(folder) => folder.display().to_string(),
        }
    }

    /// A key, or a prefix that ends with `/`, as people and Glue name it.
    pub fn url(&self, key: &str) -> String {
        match self {
            Self::Bucket { bucket, .. } => store::url(bucket, key),
            Self::Folder(folder) => format!("{}/{key}", folder.display()),
        }
    }

    /// Every file under a prefix that ends with `/`, by key.
    ///
    /// # Errors
    /// Where S3 or the disk refuse or do not answer; the failure names the object.
    pub async fn list(&self, prefix: &str) -> Result<Vec<Object>, Failure> {
        match self {
            Self::Bucket { store, bucket } => store.list(bucket, prefix).await,
            Self::Folder(folder) => {
                let mut objects = Vec::new();
                let listed = list(folder, &folder.join(prefix), &mut objects);
                listed.map_err(|error| Failure::unavailable(format!("listing {}: {error}", self.url(prefix))))?;
                objects.sort_by(|one, other| one.key.cmp(&other.key));
                Ok(objects)
            }
        }
    }

    /// The bytes of a file that was listed, from its beginning on; and the file again with what only its opening tells.
    /// Fails with [`contract::FailureKind::Conflict`] when it has changed since.
    ///
    /// # Errors
    /// Where S3 or the disk refuse or do not answer; the failure names the object.
    pub async fn open(&self, listed: &Object) -> Result<(Object, Input), Failure> {
        match self {
            Self::Bucket { store, .. } => {
                let (opened, body) = store.open(listed).await?;
                Ok((opened, store::blocking_reader(body).into()))
            }
            Self::Folder(_) => Ok((listed.clone(), self.open_here(listed)?.into())),
        }
    }

    /// As [`Area::open`], any piece of the bytes.
    ///
    /// # Errors
    /// Where S3 or the disk refuse or do not answer; the failure names the object.
    pub async fn open_ranges(&self, listed: &Object) -> Result<(Object, Input), Failure> {
        match self {
            Self::Bucket { store, .. } => {
                let head = store.head(&listed.bucket, &listed.key, listed.version_id.as_deref()).await?;
                let opened = head.filter(|head| head.etag == listed.etag).ok_or_else(|| self.changed(listed))?;
                let ranges = Ranges::new(opened.bytes, store.ranges(&opened));
                Ok((opened, ranges.into()))
            }
            Self::Folder(folder) => {
                drop(self.open_here(listed)?);
                let ranges = Ranges::file(&folder.join(&listed.key));
                let ranges = ranges.map_err(|error| self.unread(&listed.key, &error))?;
                Ok((listed.clone(), ranges.into()))
            }
        }
    }

    /// A small file whole; `None` when there is none.
    ///
    /// # Errors
    /// Where S3 or the disk refuse or do not answer; the failure names the object.
    pub async fn read_whole(&self, key: &str) -> Result<Option<Vec<u8>>, Failure> {
        match self {
            Self::Bucket { store, bucket } => store.read_whole(bucket, key).await,
            Self::Folder(folder) => match fs::read(folder.join(key)) {
                Ok(bytes) => Ok(Some(bytes)),
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
                Err(error) => Err(self.unread(key, &error)),
            },
        }
    }

    /// Writes a small file, which must be new.
    ///
    /// # Errors
    /// Where S3 or the disk refuse or do not answer; the failure names the object.
    pub async fn put(&self, key: &str, body: Vec<u8>, content_type: &str) -> Result<(), Failure> {
        match self {
            Self::Bucket { store, bucket } => store.put(bucket, key, body, content_type, Write::IfAbsent).await,
            Self::Folder(_) => {
                let mut file = self.create(key, content_type).await?;
                file.write(&body).await?;
                file.finish().await
            }
        }
    }

    /// A new file, written piece by piece. Nothing is visible under the key until [`NewFile::finish`].
    ///
    /// # Errors
    /// Where S3 or the disk refuse or do not answer; the failure names the object.
    pub async fn create(&self, key: &str, content_type: &str) -> Result<NewFile, Failure> {
        match self {
            Self::Bucket { store, bucket } => Ok(NewFile::Object(store.upload(bucket, key, content_type))),
            Self::Folder(folder) => {
                let path = folder.join(key);
                let parent = path.parent().unwrap_or(folder);
                let mut file = tempfile::Builder::new();
                #[cfg(unix)]
                file.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644));
                let file = fs::create_dir_all(parent).and_then(|()| file.tempfile_in(parent));
                let file = file.map_err(|error| unwritten(&path, &error))?;
                Ok(NewFile::File { file, path })
            }
        }
    }

    /// Copies a file, whose size is known, to a key that must be new; in S3 the bytes stay there.
    ///
    /// # Errors
    /// Where S3 or the disk refuse or do not answer; the failure names the object.
    pub async fn copy(&self, from: &str, bytes: u64, to: &str) -> Result<(), Failure> {
        let missing = || Failure::not_found(format!("{}: the file of an earlier run is gone", self.url(from)));
        match self {
            Self::Bucket { store, bucket } => {
                let found = store.head(bucket, from, None).await?.filter(|found| found.bytes == bytes);
                match store.copy_if_absent(&found.ok_or_else(missing)?, bucket, to).await? {
                    Copied::Now => Ok(()),
                    Copied::TargetExists => Err(Failure::conflict(format!("{} is there already", self.url(to)))),
                }
            }
            Self::Folder(folder) => {
                let (from, path) = (folder.join(from), folder.join(to));
                let about = fs::metadata(&from).ok().filter(|about| about.len() == bytes);
                about.ok_or_else(missing)?;
                let parent = path.parent().unwrap_or(folder);
                // the file is never written again: a second name is as good as a copy
                let linked = fs::create_dir_all(parent).and_then(|()| fs::hard_link(&from, &path));
                linked.map_err(|error| unwritten(&path, &error))
            }
        }
    }

    /// Deletes a file that was listed, unless it has changed since; success when it is gone already.
    ///
    /// # Errors
    /// Where S3 or the disk refuse or do not answer; the failure names the object.
    pub async fn delete(&self, object: &Object) -> Result<(), Failure> {
        match self {
            Self::Bucket { store, bucket } => match store.head(bucket, &object.key, None).await? {
                Some(found) if found.etag == object.etag => store.delete(&found).await,
                _ => Ok(()),
            },
            Self::Folder(folder) => match fs::remove_file(folder.join(&object.key)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    Err(Failure::unavailable(format!("deleting {}: {error}", self.url(&object.key))))
                }
                _ => Ok(()),
            },
        }
    }

    fn open_here(&self, listed: &Object) -> Result<File, Failure> {
        let Self::Folder(folder) = self else { return Err(self.changed(listed)) };
        let path = folder.join(&listed.key);
        let opened = File::open(&path).and_then(|file| Ok((object(folder, &path, &file.metadata()?), file)));
        match opened {
            Ok((found, file)) if found.etag == listed.etag => Ok(file),
            Ok(_) => Err(self.changed(listed)),
            Err(error) => Err(self.unread(&listed.key, &error)),
        }
    }

    fn unread(&self, key: &str, error: &io::Error) -> Failure {
        Failure::unavailable(format!("reading {}: {error}", self.url(key)))
    }

    fn changed(&self, listed: &Object) -> Failure {
        Failure::conflict(format!("{}: it has changed since it was listed", self.url(&listed.key)))
    }
}

/// A file under way.
pub enum NewFile {
    /// To S3.
    Object(Upload),
    /// To this machine's disk.
    File {
        /// Beside its place.
        file: NamedTempFile,
        /// Its place.
        path: PathBuf,
    },
}

impl NewFile {
    /// Adds bytes.
    ///
    /// # Errors
    /// Where S3 or the disk refuse or do not answer; the failure names the object.
    pub async fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        match self {
            Self::Object(upload) => upload.write(bytes).await,
            Self::File { file, path } => file.write_all(bytes).map_err(|error| unwritten(path, &error)),
        }
    }

    /// Makes the file visible, whole. It must be new.
    ///
    /// # Errors
    /// Where S3 or the disk refuse or do not answer; the failure names the object.
    pub async fn finish(self) -> Result<(), Failure> {
        match self {
            Self::Object(upload) => upload.finish(Write::IfAbsent).await.map(drop),
            Self::File { file, path } => {
                file.persist_noclobber(&path).map_err(|error| unwritten(&path, &error.error)).map(drop)
            }
        }
    }

    /// Returns the file up: nothing becomes visible.
    pub async fn abandon(self) {
        if let Self::Object(upload) = self {
            upload.abandon().await;
        }
    }
}

fn unwritten(path: &Path, error: &io::Error) -> Failure {
    Failure::unavailable(format!("writing {}: {error}", path.display()))
}

fn list(root: &Path, folder: &Path, into: &mut Vec<Object>) -> io::Result<()> {
    let entries = match fs::read_dir(folder) {
        // as in S3, a prefix without files is no error
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        let (path, about) = (entry.path(), entry.metadata()?);
        if about.is_dir() {
            list(root, &path, into)?;
        } else {
            into.push(object(root, &path, &about));
        }
    }
    Ok(())
}

/// A file in the words of S3: its entity tag changes when the file does.
fn object(root: &Path, path: &Path, about: &fs::Metadata) -> Object {
    let inside = path.strip_prefix(root).unwrap_or(path);
    let segments: Vec<_> = inside.iter().map(|segment| segment.to_string_lossy()).collect();
    let modified = about.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok()).unwrap_or_default();
    Object {
        bucket: root.display().to_string(),
        key: segments.join("/"),
        version_id: None,
        etag: format!("\"{:x}-{:x}\"", modified.as_nanos(), about.len()),
        bytes: about.len(),
        last_modified: modified.as_secs(),
        checksum: None,
    }
}
