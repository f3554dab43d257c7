//! The data: rows of the 36 columns of `meta_data/raw/postcodes.json` as gzipped JSON Lines, with the same bytes on
//! every machine. A row has about 990 bytes of JSON, as in the files of the Ministry of Justice's example. The names
//! are invented; their numbers of distinct values follow the real hierarchy.

use std::fmt::{self, Write as _};
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, available_parallelism};

use contract::DataKey;
use fastrand::Rng;
use flate2::Compression;
use flate2::write::GzEncoder;

/// The version of the generated data, part of the folder's name, so that files of another version are not used.
const VERSION: u32 = 1;
const SEED: u64 = 36;
const DISTRICTS: usize = 380;
/// Electoral region, country, region, first letter of the codes, frequency in percent.
type Region = (Option<&'static str>, &'static str, Option<&'static str>, char, usize);
const REGIONS: &[Region] = &[
    (Some("South East"), "England", Some("South East"), 'E', 14),
    (Some("North West"), "England", Some("North West"), 'E', 12),
    (Some("London"), "England", Some("London"), 'E', 11),
    (Some("Eastern"), "England", Some("East of England"), 'E', 10),
    (Some("South West"), "England", Some("South West"), 'E', 10),
    (Some("West Midlands"), "England", Some("West Midlands"), 'E', 9),
    (Some("Yorkshire and The Humber"), "England", Some("Yorkshire and The Humber"), 'E', 9),
    (Some("East Midlands"), "England", Some("East Midlands"), 'E', 8),
    (Some("North East"), "England", Some("North East"), 'E', 4),
    (Some("Scotland"), "Scotland", None, 'S', 7),
    (Some("Wales"), "Wales", None, 'W', 4),
    (Some("Northern Ireland"), "Northern Ireland", None, 'N', 1),
    (None, "Channel Islands", None, 'L', 1),
];
const BEGINNINGS: &[&str] = &[
    "Ald", "Barn", "Beck", "Bex", "Bir", "Black", "Brom", "Can", "Caer", "Chal", "Cold", "Dor", "Ed", "Ever", "Farn",
    "Glen", "Hay", "Hol", "Inver", "Kings", "Lam", "Lev", "Lland", "Mar", "Nant", "New", "Pem", "Rad", "Ship", "Swan",
    "Tad", "Tre", "Wake", "Wen", "Wim",
];
const ENDINGS: &[&str] = &[
    "bourne", "bury", "by", "castle", "church", "cote", "dean", "don", "fell", "ford", "grove", "ham", "head", "hithe",
    "holm", "keld", "ley", "marsh", "over", "pool", "ridge", "stock", "thwaite", "ton", "wick", "worthy",
];
const ADDITIONS: &[&str] = &[" North", " South", " Central", " and District", " St. Mary's", " Bishop", "-on-Sea"];
/// Names with letters of more than one byte.
const ACCENTED: &[&str] = &["Steòrnabhagh", "Ynys Môn", "Llŷn", "Baile Phuill a’ Chaolais", "Dún Pádraig"];
const AREAS: &[&str] =
    &["AB", "B", "BA", "CF", "CT", "E", "EH", "G", "IV", "L", "LL", "M", "NE", "PO", "S", "SW", "YO"];
const LETTERS: &[u8] = b"ABDEFGHJLNPQRSTUWXYZ";

/// A value in one row that breaks one rule of the metadata.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Defect {
    /// `quality` is a text.
    Type,
    /// `postcode` does not match the pattern.
    Pattern,
    /// `country` is not an allowed value.
    Enum,
    /// `quality` is null.
    Null,
    /// `longitude` is below the minimum.
    Minimum,
    /// `latitude` is above the maximum.
    Maximum,
    /// `outcode` is too long.
    Length,
}

impl Defect {
    /// Every defect once.
    pub const ALL: &[Self] =
        &[Self::Type, Self::Pattern, Self::Enum, Self::Null, Self::Minimum, Self::Maximum, Self::Length];
}

impl fmt::Display for Defect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Type => "type",
            Self::Pattern => "pattern",
            Self::Enum => "enum",
            Self::Null => "nullable",
            Self::Minimum => "minimum",
            Self::Maximum => "maximum",
            Self::Length => "length",
        })
    }
}

/// A file of the table.
#[derive(Clone, Debug)]
pub struct DataFile {
    /// The path of the gzipped file.
    pub path: PathBuf,
    /// The number of rows.
    pub rows: u64,
    /// The size before compression.
    pub json_bytes: u64,
}

/// The files of a table, laid out as in raw-hist.
#[derive(Clone, Debug)]
pub struct History {
    /// The folder that contains the table's folder.
    pub folder: PathBuf,
    /// The number of files.
    pub files: u64,
    /// The number of rows in all files.
    pub rows: u64,
    /// The size of all files before compression.
    pub json_bytes: u64,
    /// The size of all compressed files.
    pub gzip_bytes: u64,
}

/// The name of the raw table.
pub const TABLE: &str = "postcodes";
const EXTENSION: &str = "jsonl.gz";
const FIRST_LANDED: u64 = 1_700_000_000;
const SECONDS_BETWEEN: u64 = 60;

/// Returns `files` files with `rows_each` valid rows each, and writes them unless they exist. All files use the same
/// places, with different random draws.
pub fn history(folder: &Path, files: u64, rows_each: u64) -> io::Result<History> {
    let folder = folder.join(format!("history-{files}x{rows_each}")).join(format!("v{VERSION}"));
    let key = |n: u64| DataKey::new(TABLE, FIRST_LANDED + n * SECONDS_BETWEEN, u32::try_from(n).ok(), EXTENSION);
    let path = |n: u64| folder.join(key(n).format(""));
    let sizes = folder.join("json_bytes");
    let made = fs::read_to_string(&sizes).ok().and_then(|text| text.parse().ok());
    let json_bytes = if let Some(json_bytes) = made {
        json_bytes
    } else {
        let (next, sum) = (AtomicU64::new(0), AtomicU64::new(0));
        let make = || -> io::Result<()> {
            let places = Places::new();
            loop {
                let n = next.fetch_add(1, Ordering::Relaxed);
                if n >= files {
                    return Ok(());
                }
                let bytes = gzipped(&path(n), |out| places.of_file(n).rows(out, n * rows_each, rows_each, None))?;
                sum.fetch_add(bytes, Ordering::Relaxed);
            }
        };
        thread::scope(|scope| {
            let workers: Vec<_> = (0..available_parallelism()?.get()).map(|_| scope.spawn(make)).collect();
            let failed = |_| io::Error::other("a thread that makes files has stopped");
            workers.into_iter().try_for_each(|worker| worker.join().map_err(failed)?)
        })?;
        let json_bytes = sum.into_inner();
        fs::write(&sizes, json_bytes.to_string())?;
        json_bytes
    };
    let mut gzip_bytes = 0;
    for n in 0..files {
        gzip_bytes += fs::metadata(path(n))?.len();
    }
    Ok(History { files, rows: files * rows_each, json_bytes, gzip_bytes, folder })
}

/// Returns a file of valid rows, except for one row if there is a defect, and writes it unless it exists.
pub fn file(folder: &Path, rows: u64, defect: Option<Defect>) -> io::Result<DataFile> {
    let kind = defect.map_or("good".to_owned(), |defect| defect.to_string());
    made(&folder.join(format!("{kind}-{rows}")), rows, |out| Places::new().rows(out, 0, rows, defect))
}

/// Returns a file whose lines have the given length, most of it in one name, and writes it unless it exists.
pub fn long_lines(folder: &Path, rows: u64, line_bytes: usize) -> io::Result<DataFile> {
    made(&folder.join(format!("long-{rows}-{line_bytes}")), rows, |out| {
        let mut places = Places::new();
        let (mut row, mut name) = (String::new(), String::new());
        for index in 0..rows {
            row.clear();
            places.row(&mut row, index, None).map_err(io::Error::other)?;
            let (start, end) = row.split_once("\"ccg\": \"").unwrap_or((&row, ""));
            out.write_all(start.as_bytes())?;
            out.write_all(b"\"ccg\": \"")?;
            let mut missing = line_bytes.saturating_sub(row.len() - 1);
            while missing > 0 {
                name.clear();
                places.name(&mut name);
                let piece = name.get(..missing.min(name.len())).unwrap_or("x");
                out.write_all(piece.as_bytes())?;
                missing -= piece.len();
            }
            out.write_all(end.as_bytes())?;
        }
        Ok(())
    })
}

/// Returns a file in the folder and writes it unless it exists. The size before compression is written last, beside the
/// file, so it marks the file as complete.
fn made(folder: &Path, rows: u64, write: impl FnOnce(&mut Gzip) -> io::Result<()>) -> io::Result<DataFile> {
    let folder = folder.join(format!("v{VERSION}"));
    let path = folder.join("postcodes_1700000000.jsonl.gz");
    let size = folder.join("json_bytes");
    if let Some(json_bytes) = fs::read_to_string(&size).ok().and_then(|text| text.parse().ok()) {
        return Ok(DataFile { path, rows, json_bytes });
    }
    let json_bytes = gzipped(&path, write)?;
    fs::write(size, json_bytes.to_string())?;
    Ok(DataFile { path, rows, json_bytes })
}

/// Writes a gzipped file and returns its size before compression.
fn gzipped(path: &Path, write: impl FnOnce(&mut Gzip) -> io::Result<()>) -> io::Result<u64> {
    fs::create_dir_all(path.parent().unwrap_or(path))?;
    let encoder = GzEncoder::new(BufWriter::new(File::create(path)?), Compression::new(6));
    let mut out = Counted { inner: encoder, bytes: 0 };
    write(&mut out)?;
    let bytes = out.bytes;
    out.inner.finish()?.flush()?;
    Ok(bytes)
}

type Gzip = Counted<GzEncoder<BufWriter<File>>>;

struct Counted<W> {
    inner: W,
    bytes: u64,
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = self.inner.write(bytes)?;
        self.bytes += n as u64;
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// A name and its code.
type Named = (String, String);

#[derive(Clone)]
struct District {
    region: usize,
    district: Named,
    county: Option<Named>,
    trust: String,
    ccg: Named,
    ccg_id: String,
    nuts: Named,
    constituencies: Vec<Named>,
    wards: Vec<Named>,
    parishes: Vec<Named>,
    divisions: Vec<Named>,
    outcodes: Vec<String>,
    easting: u32,
    northing: u32,
}

#[derive(Clone)]
struct Places {
    random: Rng,
    districts: Vec<District>,
}

impl Places {
    fn new() -> Self {
        let mut places = Self { random: Rng::with_seed(SEED), districts: Vec::new() };
        places.districts = (0..DISTRICTS).map(|n| places.district(n)).collect();
        places
    }

    fn name(&mut self, name: &mut String) {
        let random = &mut self.random;
        if random.u8(..) < 3 {
            name.push_str(ACCENTED[random.usize(..ACCENTED.len())]);
            return;
        }
        name.push_str(BEGINNINGS[random.usize(..BEGINNINGS.len())]);
        name.push_str(ENDINGS[random.usize(..ENDINGS.len())]);
        if random.u8(..) < 160 {
            name.push_str(ADDITIONS[random.usize(..ADDITIONS.len())]);
        }
    }

    fn named(&mut self, prefix: &str) -> Named {
        let mut name = String::new();
        self.name(&mut name);
        (name, format!("{prefix}{:06}", self.random.u32(..30_000)))
    }

    fn district(&mut self, n: usize) -> District {
        // the first districts ensure that every region occurs
        let region = if n < REGIONS.len() { n } else { self.region() };
        let letter = REGIONS[region].3;
        let prefix = |kind: &str| format!("{letter}{kind}");
        let several = |places: &mut Self, count, kind: &str| -> Vec<Named> {
            (0..count).map(|_| places.named(&prefix(kind))).collect()
        };
        let has_county = letter == 'E' && self.random.bool();
        let area = AREAS[self.random.usize(..AREAS.len())];
        District {
            region,
            district: self.named(&prefix("07")),
            county: has_county.then(|| self.named("E10")).map(|(name, code)| (format!("{name}shire"), code)),
            trust: self.named("").0,
            ccg: self.named("E38"),
            ccg_id: format!("{:02}{}", self.random.u8(..100), char::from(LETTERS[self.random.usize(..LETTERS.len())])),
            nuts: (self.named("").0, format!("TLC{}", self.random.u8(10..100))),
            constituencies: several(self, 3, "14"),
            wards: several(self, 21, "05"),
            parishes: several(self, 29, "04"),
            divisions: several(self, 12, "58"),
            outcodes: (1..9).map(|n| format!("{area}{}", n * 3)).collect(),
            easting: self.random.u32(90_000..640_000),
            northing: self.random.u32(12_000..1_200_000),
        }
    }

    fn region(&mut self) -> usize {
        let drawn = self.random.usize(..100);
        let mut sum = 0;
        let mut below = |region: &Region| {
            sum += region.4;
            sum <= drawn
        };
        REGIONS.iter().take_while(|region| below(region)).count()
    }

    /// Returns the same places with another file's random draws.
    fn of_file(&self, n: u64) -> Self {
        let mut places = self.clone();
        places.random = Rng::with_seed(SEED + 1 + n);
        places
    }

    /// Writes rows. The one in the middle has the defect.
    fn rows(&mut self, out: &mut impl Write, first: u64, rows: u64, defect: Option<Defect>) -> io::Result<()> {
        let mut row = String::new();
        for n in 0..rows {
            row.clear();
            let broken = defect.filter(|_| n == rows / 2);
            self.row(&mut row, first + n, broken).map_err(io::Error::other)?;
            out.write_all(row.as_bytes())?;
        }
        Ok(())
    }

    /// Appends a line with keys in the metadata's order, and spaces as Python's `json.dumps` writes them.
    fn row(&mut self, out: &mut String, index: u64, defect: Option<Defect>) -> fmt::Result {
        let random = &mut self.random;
        let place = &self.districts[random.usize(..self.districts.len())];
        let (electoral, country, region, letter, _) = REGIONS[place.region];
        let on_the_map = electoral.is_some();
        let mut pick = |all: &'static [u8]| char::from(all[random.usize(..all.len())]);
        let incode = format!("{}{}{}", pick(b"0123456789"), pick(LETTERS), pick(LETTERS));
        let outcode = &place.outcodes[random.usize(..place.outcodes.len())];
        let east = place.easting + random.u32(..9_000);
        let north = place.northing + random.u32(..9_000);
        let quality = if !on_the_map {
            9
        } else if random.u8(..) < 248 {
            1
        } else {
            random.u8(2..9)
        };
        let longitude = -7.0 + f64::from(east - 90_000) / 550_000.0 * 8.5;
        let latitude = 49.95 + f64::from(north) / 1_200_000.0 * 10.6;
        let one_of = |random: &mut Rng, all: &[Named]| -> Named { all[random.usize(..all.len())].clone() };
        let ward = one_of(random, &place.wards);
        let constituency = one_of(random, &place.constituencies);
        let has_parish = "EW".contains(letter) && random.u8(..) < 180;
        let parish = has_parish.then(|| one_of(random, &place.parishes));
        let division = place.county.is_some().then(|| one_of(random, &place.divisions));
        let area = random.u32(1..40);
        let msoa = on_the_map.then(|| format!("{} {area:03}", place.district.0));
        let lsoa = msoa.as_ref().map(|msoa| format!("{msoa}{}", char::from(b'A' + random.u8(..6))));
        let codes = random.u32(..7_000);
        let nothing = format!("{letter}99999999");
        let code = |named: &Option<Named>| named.as_ref().map_or(nothing.clone(), |(_, code)| code.clone());
        let name = |named: &Option<Named>| named.as_ref().map(|(name, _)| name.clone());

        let is = |asked| defect == Some(asked);
        let mut line = Line { out, first: true };
        line.text("postcode", &format!("{outcode}{}{incode}", if is(Defect::Pattern) { "/" } else { " " }))?;
        match defect {
            Some(Defect::Type) => line.text("quality", "best")?,
            Some(Defect::Null) => line.number("quality", None::<u8>)?,
            _ => line.number("quality", Some(quality))?,
        }
        line.number("eastings", on_the_map.then_some(east))?;
        line.number("northings", on_the_map.then_some(north))?;
        line.text("country", if is(Defect::Enum) { "Narnia" } else { country })?;
        line.optional("nhs_ha", electoral)?;
        let longitude = if is(Defect::Minimum) { "-9.000001".into() } else { format!("{longitude:.6}") };
        line.number("longitude", (on_the_map || is(Defect::Minimum)).then_some(longitude))?;
        let latitude = if is(Defect::Maximum) { "61.000001".into() } else { format!("{latitude:.6}") };
        line.number("latitude", (on_the_map || is(Defect::Maximum)).then_some(latitude))?;
        line.optional("european_electoral_region", electoral)?;
        line.text("primary_care_trust", &place.trust)?;
        line.optional("region", region)?;
        line.optional("lsoa", lsoa.as_deref())?;
        line.optional("msoa", msoa.as_deref())?;
        line.text("incode", &incode)?;
        line.text("outcode", &format!("{outcode}{}", if is(Defect::Length) { "123" } else { "" }))?;
        line.text("parliamentary_constituency", &constituency.0)?;
        line.text("admin_district", &place.district.0)?;
        line.optional("parish", name(&parish).as_deref())?;
        line.optional("admin_county", name(&place.county).as_deref())?;
        line.text("admin_ward", &ward.0)?;
        line.optional("ced", name(&division).as_deref())?;
        line.text("ccg", &format!("NHS {}", place.ccg.0))?;
        line.text("nuts", &place.nuts.0)?;
        line.text("codes_admin_district", &place.district.1)?;
        line.text("codes_admin_county", &code(&place.county))?;
        line.text("codes_admin_ward", &ward.1)?;
        line.text("codes_parish", &code(&parish))?;
        line.text("codes_parliamentary_constituency", &constituency.1)?;
        line.text("codes_ccg", &place.ccg.1)?;
        line.text("codes_ced", &code(&division))?;
        line.text("codes_nuts", &place.nuts.1)?;
        line.text("codes_lsoa", &format!("{letter}01{:06}", codes * 5 + area % 5))?;
        line.text("codes_msoa", &format!("{letter}02{codes:06}"))?;
        line.text("codes_ccg_id", &place.ccg_id)?;
        line.text("codes_lau2", &place.district.1)?;
        line.number("index", Some(index))?;
        out.push_str("}\n");
        Ok(())
    }
}

/// A JSON object of scalar values whose texts need no escaping.
struct Line<'a> {
    out: &'a mut String,
    first: bool,
}

impl Line<'_> {
    fn number(&mut self, key: &str, value: Option<impl fmt::Display>) -> fmt::Result {
        let before = if std::mem::take(&mut self.first) { "{" } else { ", " };
        match value {
            Some(value) => write!(self.out, "{before}\"{key}\": {value}"),
            None => write!(self.out, "{before}\"{key}\": null"),
        }
    }

    fn text(&mut self, key: &str, value: &str) -> fmt::Result {
        self.number(key, Some(format_args!("\"{value}\"")))
    }

    fn optional(&mut self, key: &str, value: Option<&str>) -> fmt::Result {
        match value {
            Some(value) => self.text(key, value),
            None => self.number(key, None::<u8>),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use contract::{Compression, FileFormat, MetaData};
    use flate2::read::MultiGzDecoder;
    use rows::{Options, RowReader};

    use super::*;

    fn text(file: &DataFile) -> String {
        inflated(&file.path)
    }

    fn inflated(path: &Path) -> String {
        let mut text = String::new();
        MultiGzDecoder::new(File::open(path).unwrap()).read_to_string(&mut text).unwrap();
        text
    }

    #[test]
    fn rows_are_of_the_described_table_and_the_same_everywhere() {
        let folder = tempfile::tempdir().unwrap();
        let good = file(folder.path(), 2_000, None).unwrap();
        let text = text(&good);
        assert_eq!((text.len() as u64, text.lines().count()), (good.json_bytes, 2_000));
        let bytes_a_row = good.json_bytes / good.rows;
        assert!((970..1_010).contains(&bytes_a_row), "{bytes_a_row}");
        assert!(!text.is_ascii() && text.contains("null"));
        let again = file(folder.path(), 2_000, None).unwrap();
        assert_eq!(again.json_bytes, good.json_bytes);
        // another sum needs another version, because existing files would still be used
        let sum = text.bytes().fold(0_u64, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
        assert_eq!((VERSION, sum), (1, 8_309_274_663_506_624_949));

        let metadata = MetaData::read(concat!(env!("CARGO_MANIFEST_DIR"), "/meta_data").as_ref()).unwrap();
        let source = File::open(&good.path).unwrap();
        let table = &metadata.raw["postcodes"];
        let mut reader =
            RowReader::new(source, FileFormat::JsonLines, Compression::Gzip, table, Options::default()).unwrap();
        while reader.next_batch().unwrap().is_some() {}
        let read = reader.summary();
        assert_eq!((read.rows, read.tallies.len()), (2_000, 0), "{:?}", read.tallies);
    }

    #[test]
    fn a_history_is_files_of_other_rows_where_raw_hist_has_them() {
        let folder = tempfile::tempdir().unwrap();
        let made = history(folder.path(), 3, 50).unwrap();
        let path = |n: u64| {
            let seconds = 1_700_000_000 + n * 60;
            made.folder.join(format!("postcodes/file_land_timestamp={seconds}/postcodes_{n}_{seconds}.jsonl.gz"))
        };
        let texts: Vec<String> = (0..3).map(|n| inflated(&path(n))).collect();
        assert_eq!(made.json_bytes, texts.iter().map(|text| text.len() as u64).sum::<u64>());
        assert_eq!(made.gzip_bytes, (0..3).map(|n| fs::metadata(path(n)).unwrap().len()).sum::<u64>());
        let all = texts.concat();
        let lines: std::collections::BTreeSet<&str> = all.lines().map(|line| &line[..line.len() / 2]).collect();
        assert_eq!((made.rows, lines.len()), (150, 150), "rows are the same in two files");
        assert!(all.lines().last().unwrap().ends_with("\"index\": 149}"));
        assert_eq!(history(folder.path(), 3, 50).unwrap().json_bytes, made.json_bytes);
    }

    #[test]
    fn a_defect_is_in_one_row() {
        let folder = tempfile::tempdir().unwrap();
        let good = text(&file(folder.path(), 20, None).unwrap());
        for defect in Defect::ALL {
            let broken = text(&file(folder.path(), 20, Some(*defect)).unwrap());
            let differing = good.lines().zip(broken.lines()).filter(|(good, broken)| good != broken).count();
            assert_eq!(differing, 1, "{defect}");
        }
    }

    #[test]
    fn lines_are_as_long_as_asked() {
        let folder = tempfile::tempdir().unwrap();
        let long = long_lines(folder.path(), 3, 100_000).unwrap();
        assert!(text(&long).lines().all(|line| line.len() == 100_000));
    }
}
