//! An area that a stage reads or writes: a bucket, or a local folder with the same layout.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use contract::Failure;
use rows::{Input, Ranges};
use store::{Copied, Object, Store, Upload, Write};
use tempfile::NamedTempFile;

/// The place where files are read and written.
#[derive(Clone, Debug)]
pub enum Area {
    /// An S3 bucket.
    Bucket {
        /// The S3 client.
        store: Store,
        /// The bucket's name.
        bucket: String,
    },
    /// A local folder.
    Folder(PathBuf),
}

impl Area {
    /// Returns the area in a bucket.
    pub fn bucket(store: &Store, bucket: &str) -> Self {
        Self::Bucket { store: store.clone(), bucket: bucket.into() }
    }

    /// Returns the bucket's name or the folder's path.
    pub fn name(&self) -> String {
        match self {
            Self::Bucket { bucket, .. } => bucket.clone(),
            Self::Folder(folder) => folder.display().to_string(),
        }
    }

    /// Returns the location of a key, or of a prefix that ends with `/`: `s3://…`, or a path.
    pub fn url(&self, key: &str) -> String {
        match self {
            Self::Bucket { bucket, .. } => store::url(bucket, key),
            Self::Folder(folder) => format!("{}/{key}", folder.display()),
        }
    }

    /// Lists every file under a prefix that ends with `/`, sorted by key.
    ///
    /// # Errors
    /// Fails if S3 or the disk refuses or does not answer. The failure names the object.
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

    /// Opens a listed file from its beginning. Returns its bytes, and the object with the details that only opening
    /// reveals. Fails with [`contract::FailureKind::Conflict`] if the file has changed since.
    ///
    /// # Errors
    /// Fails if S3 or the disk refuses or does not answer. The failure names the object.
    pub async fn open(&self, listed: &Object) -> Result<(Object, Input), Failure> {
        match self {
            Self::Bucket { store, .. } => {
                let (opened, body) = store.open(listed).await?;
                Ok((opened, store::blocking_reader(body).into()))
            }
            Self::Folder(_) => Ok((listed.clone(), self.open_here(listed)?.into())),
        }
    }

    /// Like [`Area::open`], but for random access.
    ///
    /// # Errors
    /// Fails if S3 or the disk refuses or does not answer. The failure names the object.
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

    /// Reads a small file whole. Returns `None` if it does not exist.
    ///
    /// # Errors
    /// Fails if S3 or the disk refuses or does not answer. The failure names the object.
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
    /// Fails if S3 or the disk refuses or does not answer. The failure names the object.
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

    /// Starts a file that is written piece by piece. Nothing is visible under the key until [`NewFile::finish`].
    ///
    /// # Errors
    /// Fails if S3 or the disk refuses or does not answer. The failure names the object.
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

    /// Copies a file of known size to a key that must be new. In a bucket, the bytes stay within S3.
    ///
    /// # Errors
    /// Fails if S3 or the disk refuses or does not answer. The failure names the object.
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
                // the file never changes, so a hard link is as good as a copy
                let linked = fs::create_dir_all(parent).and_then(|()| fs::hard_link(&from, &path));
                linked.map_err(|error| unwritten(&path, &error))
            }
        }
    }

    /// Deletes a listed file. A file in a bucket is kept if it has changed since. Succeeds if the file is already gone.
    ///
    /// # Errors
    /// Fails if S3 or the disk refuses or does not answer. The failure names the object.
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

/// A file that is being written.
pub enum NewFile {
    /// An upload to S3.
    Object(Upload),
    /// A file on the local disk.
    File {
        /// The temporary file, in the same folder.
        file: NamedTempFile,
        /// The path that the file gets when it is finished.
        path: PathBuf,
    },
}

impl NewFile {
    /// Appends bytes.
    ///
    /// # Errors
    /// Fails if S3 or the disk refuses or does not answer. The failure names the object.
    pub async fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        match self {
            Self::Object(upload) => upload.write(bytes).await,
            Self::File { file, path } => file.write_all(bytes).map_err(|error| unwritten(path, &error)),
        }
    }

    /// Makes the complete file visible. Its key must be new.
    ///
    /// # Errors
    /// Fails if S3 or the disk refuses or does not answer. The failure names the object.
    pub async fn finish(self) -> Result<(), Failure> {
        match self {
            Self::Object(upload) => upload.finish(Write::IfAbsent).await.map(drop),
            Self::File { file, path } => {
                file.persist_noclobber(&path).map_err(|error| unwritten(&path, &error.error)).map(drop)
            }
        }
    }

    /// Gives up the file, so that nothing becomes visible.
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
        // as in S3, a prefix without files is not an error
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

/// Describes a local file like an object of S3. Its entity tag changes when the file does.
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
