//! One partition of a database on disk, to a Parquet file and back.

use bytes::Bytes;
use std::fs::File;
use std::io::{BufWriter, Read, Seek, SeekFrom};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock};
use std::time::Instant;
use understudy::columnar::parquet::{
    Codec, EncodeError, Encoded, Field, Options, ParquetFile, PartRows, Plan, Task, encode_with,
};
use understudy::table::Calendar;
use understudy::table::files::read::AppliedTable;
use understudy::wal::{Error, Files, Registry, Result, TableKind, TableMeta, TableToken};

/// What the command line says.
struct Wanted {
    words: Vec<String>,
    options: Options,
    threads: usize,
    runs: usize,
    read: bool,
}

pub(super) fn run(words: &[String]) -> String {
    let wanted = wanted(words);
    let [db, name, partition, out] = &wanted.words[..] else { panic!("four words: DB TABLE PARTITION OUT") };
    let files = Disk { root: db.into() };
    let registry = Registry::read(&files).unwrap_or_default();
    // A table without a log is in a folder of its name.
    let plain =
        TableToken { dir: name.clone(), name: name.clone(), id: 0, kind: TableKind::Plain, dropped: false };
    let token = registry.find(name).unwrap_or(&plain);
    let table = AppliedTable::read(&files, token).unwrap();
    let meta = TableMeta::applied(&files, &token.dir).unwrap();
    let symbols = table.symbols(&files).unwrap();
    let calendar = Calendar::new(table.schema.partition_by, table.schema.nanos());
    let (_, parts) =
        table.partitions().into_iter().find(|(floor, _)| calendar.name(*floor) == *partition).unwrap();
    let rows: u64 = table.applied.partitions[parts.clone()].iter().map(|part| part.rows).sum();
    let fields = Field::of_partition(&table, &meta, &parts);
    let plan = Plan::new(name, fields, rows as usize, wanted.options.clone()).unwrap();
    let source = PartRows { files: &files, table: &table, parts, symbols: &symbols };
    let mut len = 0;
    let (mut seconds, mut busy) = (Vec::new(), Vec::new());
    for _ in 0..wanted.runs {
        let (begun, spent) = (Instant::now(), cpu());
        let sink = BufWriter::with_capacity(1 << 20, File::create(out).unwrap());
        // Twice as many columns at hand as threads, so that none waits.
        let groups = (wanted.threads * 2).div_ceil(plan.fields().len());
        len = encode_with(&plan, sink, groups, &|tasks| in_threads(tasks, wanted.threads, &plan, &source))
            .unwrap();
        seconds.push(begun.elapsed().as_secs_f64());
        busy.push(cpu() - spent);
    }
    let mut back = Vec::new();
    for _ in 0..if wanted.read { wanted.runs } else { 0 } {
        let begun = Instant::now();
        let here = Disk { root: "/".into() };
        let path = std::fs::canonicalize(out).unwrap().to_str().unwrap()[1..].to_owned();
        let file = ParquetFile::open(&here, &path, len).unwrap();
        for (place, field) in plan.fields().iter().enumerate() {
            let count = table.symbol_count(field.index);
            let mut reader = file.read(&here, place, field.ty, count, 0..rows).unwrap();
            for from in (0..rows as usize).step_by(16 * 1024) {
                reader.next((rows as usize - from).min(16 * 1024)).unwrap();
            }
        }
        back.push(begun.elapsed().as_secs_f64());
    }
    format!("{{\"rows\":{rows},\"bytes\":{len},\"write\":{seconds:?},\"cpu\":{busy:?},\"read\":{back:?}}}")
}

/// CPU seconds that the main thread has taken; 0 where the system doesn't say.
fn cpu() -> f64 {
    let told = std::fs::read_to_string("/proc/self/schedstat").unwrap_or_default();
    told.split(' ').next().and_then(|nanos| nanos.parse().ok()).map_or(0.0, |nanos: f64| nanos / 1e9)
}

fn wanted(words: &[String]) -> Wanted {
    let mut wanted =
        Wanted { words: Vec::new(), options: Options::default(), threads: 1, runs: 1, read: true };
    let mut words = words.iter();
    let mut level = None;
    while let Some(word) = words.next() {
        let mut number = || words.next().unwrap().parse::<usize>().unwrap();
        match word.as_str() {
            "--codec" => wanted.options.codec = Codec::named(words.next().unwrap()).unwrap(),
            "--level" => level = Some(number() as i32),
            "--threads" => wanted.threads = number(),
            "--runs" => wanted.runs = number(),
            "--rows" => wanted.options.row_group_rows = number(),
            "--no-read" => wanted.read = false,
            "--version" => wanted.options.version = number() as u8,
            _ => wanted.words.push(word.clone()),
        }
    }
    wanted.options.level = level.unwrap_or(wanted.options.codec.default_level());
    wanted
}

fn in_threads(
    tasks: &[Task],
    threads: usize,
    plan: &Plan,
    source: &PartRows<'_>,
) -> std::result::Result<Vec<Encoded>, EncodeError> {
    if threads == 1 {
        return tasks.iter().map(|task| task.run(plan, source)).collect();
    }
    let next = AtomicUsize::new(0);
    let done: Vec<OnceLock<Mutex<Option<_>>>> = tasks.iter().map(|_| OnceLock::new()).collect();
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some((task, place)) = Some(next.fetch_add(1, Ordering::Relaxed))
                    .and_then(|at| Some((tasks.get(at)?, done.get(at)?)))
                {
                    place.get_or_init(|| Mutex::new(Some(task.run(plan, source))));
                }
            });
        }
    });
    done.into_iter().map(|place| place.into_inner().unwrap().into_inner().unwrap().unwrap()).collect()
}

/// A directory.
struct Disk {
    root: PathBuf,
}

impl Disk {
    fn open(&self, path: &str) -> Result<File> {
        File::open(self.root.join(path)).map_err(|error| io(path, &error))
    }
}

impl Files for Disk {
    fn read(&self, path: &str, offset: u64, len: u64) -> Result<Bytes> {
        // Not cleared before, as the command's reader has it.
        let mut bytes = Vec::with_capacity(len as usize);
        let mut file = self.open(path)?;
        let read = file.seek(SeekFrom::Start(offset)).and_then(|_| file.take(len).read_to_end(&mut bytes));
        let read = read.map_err(|error| io(path, &error))? as u64;
        if read < len {
            return Err(Error::Short { file: path.into(), len: offset + read, wanted: offset + len });
        }
        Ok(bytes.into())
    }

    fn len(&self, path: &str) -> Result<u64> {
        Ok(self.open(path)?.metadata().map_or(0, |metadata| metadata.len()))
    }

    fn list(&self, dir: &str) -> Result<Option<Vec<String>>> {
        let mut names: Vec<String> = std::fs::read_dir(self.root.join(dir))
            .map_err(|error| io(dir, &error))?
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .collect();
        names.sort();
        Ok(Some(names))
    }
}

fn io(path: &str, error: &std::io::Error) -> Error {
    match error.kind() {
        std::io::ErrorKind::NotFound => Error::Absent { file: path.into() },
        _ => Error::Io { file: path.into(), message: error.to_string().into() },
    }
}
