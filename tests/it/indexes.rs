//! Dictionaries and bitmap indexes, beside files that a real QuestDB wrote.

use crate::common::Recording;
use proptest::prelude::*;
use std::collections::BTreeMap;
use understudy::table::files::{BitmapWriter, DictionaryWriter, Patch};
use understudy::wal::{Applied, Files, MemoryFiles, SymbolText, TableMeta, read_table_symbols};

/// A table's directory in memory, kept by patches.
#[derive(Default, Clone)]
struct Directory(BTreeMap<String, Vec<u8>>);

impl Directory {
    fn write(&mut self, patches: &[Patch]) {
        for patch in patches {
            patch.apply(self.0.entry(patch.file.clone()).or_default());
        }
    }

    fn files(&self) -> MemoryFiles {
        let mut files = MemoryFiles::default();
        self.0.iter().for_each(|(path, content)| files.insert(format!("t/{path}"), content.clone()));
        files
    }
}

fn server() -> Recording {
    let path = format!("{}/tests/data/files/indexes.tar.gz", env!("CARGO_MANIFEST_DIR"));
    Recording::unpack(&std::fs::read(path).unwrap())
}

fn long(bytes: &[u8], at: u64) -> i64 {
    i64::from_le_bytes(bytes[at as usize..at as usize + 8].try_into().unwrap())
}

fn int(bytes: &[u8], at: u64) -> i32 {
    i32::from_le_bytes(bytes[at as usize..at as usize + 4].try_into().unwrap())
}

/// What a key's list holds below `limit`, by walking its blocks backwards as QuestDB does.
fn backwards(k: &[u8], v: &[u8], key: u64, limit: i64) -> Vec<i64> {
    assert_eq!((k[0], long(k, 1)), (0xfa, long(k, 29)));
    if key >= int(k, 21) as u64 {
        return Vec::new();
    }
    let (entry, block) = (64 + key * 32, int(k, 17) as u64);
    let (mut count, mut at) = (long(k, entry) as u64, long(k, entry + 16) as u64);
    assert_eq!(count as i64, long(k, entry + 24));
    let mut out = Vec::new();
    while count > 0 {
        count -= 1;
        assert!(at + block * 8 + 16 <= long(k, 9) as u64);
        out.push(long(v, at + count % block * 8));
        if count.is_multiple_of(block) && count > 0 {
            at = long(v, at + block * 8) as u64;
        }
    }
    out.reverse();
    out.retain(|value| *value < limit);
    out
}

/// The same by walking forwards.
fn forwards(k: &[u8], v: &[u8], key: u64, limit: i64) -> Vec<i64> {
    if key >= int(k, 21) as u64 {
        return Vec::new();
    }
    let (entry, block) = (64 + key * 32, int(k, 17) as u64);
    let (count, mut at) = (long(k, entry) as u64, long(k, entry + 8) as u64);
    let mut out = Vec::new();
    for n in 0..count {
        if n > 0 && n.is_multiple_of(block) {
            at = long(v, at + block * 8 + 8) as u64;
        }
        out.push(long(v, at + n % block * 8));
        if out.last() >= Some(&limit) {
            out.pop();
            break;
        }
    }
    out
}

/// The header's sequence and largest value depend on how often the file was opened.
fn assert_same_index(ours: (&[u8], &[u8]), theirs: (&[u8], &[u8]), what: &str) {
    let used = 64 + 32 * int(theirs.0, 21) as usize;
    assert_eq!(ours.0.len(), used, "{what}");
    assert_eq!(ours.0[9..29], theirs.0[9..29], "{what}: header");
    assert_eq!(ours.0[45..], theirs.0[45..used], "{what}: entries");
    let used = long(theirs.0, 9) as usize;
    assert_eq!(ours.1, &theirs.1[..used], "{what}: values");
    assert!(used > 0, "{what} is empty");
}

#[test]
fn dictionaries_equal_the_servers() {
    let recording = server();
    // Directory, column, suffix, whether its index begins with the file: so it does when the server wrote it
    // anew for its capacity, or the column was added.
    let cases = [
        ("ix~6", "s", -1, false),
        ("ix~6", "t", -1, false),
        ("ix~6", "u", -1, false),
        ("ix~6", "g", 9, true),
        ("late~7", "s", -1, false),
        ("late~7", "w", 1, true),
    ];
    for (dir, column, name_txn, at_start) in cases {
        let files = &recording.files;
        let suffix = if name_txn < 0 { String::new() } else { format!(".{name_txn}") };
        let theirs = |ext| files.read_all(&format!("{dir}/{column}.{ext}{suffix}"), 1 << 20).unwrap();
        let (o, c, k, v) = (theirs("o"), theirs("c"), theirs("k"), theirs("v"));
        let meta = TableMeta::applied(files, dir).unwrap();
        let symbols: Vec<&str> =
            meta.columns.iter().filter(|c| c.ty.is_symbol()).map(|c| c.name.as_str()).collect();
        let place = symbols.iter().position(|name| *name == column).unwrap();
        let count = Applied::read(files, dir).unwrap().symbol_counts[place];
        assert!(count > 2, "{dir}/{column}");
        let strings = read_table_symbols(files, dir, column, Some(name_txn), count).unwrap();
        let strings: Vec<&str> = strings.iter().map(|symbol| &**symbol).collect();

        let (capacity, has_null) = (int(&o, 0) as u32, o[8] != 0);
        let (mut writer, mut patches) = DictionaryWriter::create(column, name_txn, capacity, o[4] != 0);
        if at_start {
            let before = strings.len().saturating_sub(10);
            (writer, patches) = writer.rebuild(name_txn, capacity, &strings[..before]);
        }
        let mut ours = Directory::default();
        ours.write(&patches);
        for part in strings[writer.count() as usize..].chunks(7) {
            ours.write(&writer.append(part, has_null));
        }
        let ours = |ext: &str| ours.0[&format!("{column}.{ext}{suffix}")].as_slice();
        let what = format!("{dir}/{column}");
        assert_eq!(ours("o"), &o[..64 + 8 * (count as usize + 1)], "{what}");
        assert_eq!(ours("c"), &c[..ours("c").len()], "{what}");
        assert_eq!(long(&o, 64 + 8 * u64::from(count)), ours("c").len() as i64);
        assert_same_index((ours("k"), ours("v")), (&k, &v), &what);

        // And what the server wrote can be taken up, also as of fewer symbols.
        let mut reopened = DictionaryWriter::open(files, dir, column, name_txn, count).unwrap();
        assert_eq!((reopened.count(), reopened.capacity(), reopened.has_null()), (count, capacity, has_null));
        assert!(reopened.append(&[], has_null).is_empty());
        let mut theirs = Directory::default();
        for (ext, content) in [("o", &o), ("c", &c), ("k", &k), ("v", &v)] {
            theirs.0.insert(format!("{column}.{ext}{suffix}"), content.to_vec());
        }
        let mut writer = DictionaryWriter::open(files, dir, column, name_txn, count - 2).unwrap();
        theirs.write(&writer.append(&["new", "newer"], true));
        let (k, v) = (&theirs.0[&format!("{column}.k{suffix}")], &theirs.0[&format!("{column}.v{suffix}")]);
        let mut listed: Vec<i64> =
            (0..int(k, 21) as u64).flat_map(|key| backwards(k, v, key, i64::MAX)).collect();
        listed.sort_unstable();
        let all: Vec<i64> = (0..i64::from(count)).map(|key| 64 + 8 * key).collect();
        assert_eq!(listed, all, "{what}");
        let strings = read_table_symbols(&theirs.files(), "t", column, Some(name_txn), count).unwrap();
        assert_eq!(strings[count as usize - 2..], ["new", "newer"].map(SymbolText::from));
    }
}

#[test]
fn partition_indexes_equal_the_servers() {
    let recording = server();
    // Directory, column, suffix, column top, block capacity.
    let cases = [
        ("ix~6/2024-01-01", "s", "", 0, 4),
        ("ix~6/2024-01-01", "t", "", 0, 8),
        ("ix~6/2024-01-02.5", "s", "", 0, 4),
        ("ix~6/2024-01-02.5", "t", "", 0, 8),
        ("late~7/2024-01-01.3", "s", "", 0, 4),
        ("late~7/2024-01-01.3", "w", ".1", 0, 4),
    ];
    for (dir, column, suffix, top, block) in cases {
        let table = dir.split('/').next().unwrap();
        let applied = Applied::read(&recording.files, table).unwrap();
        let last = dir.ends_with(&format!(".{}", applied.partitions.last().unwrap().name_txn));
        let partition = &applied.partitions[if last { applied.partitions.len() - 1 } else { 0 }];
        let theirs =
            |ext| recording.files.read_all(&format!("{dir}/{column}.{ext}{suffix}"), 1 << 20).unwrap();
        let (d, k, v) = (theirs("d"), theirs("k"), theirs("v"));
        let keys: Vec<i32> = (top..partition.rows).map(|row| int(&d, (row - top) * 4)).collect();
        assert!(keys.iter().any(|key| *key < 0) && keys.len() > 50, "{dir}/{column}");
        let what = format!("{dir}/{column}");
        let (ours_k, ours_v) = BitmapWriter::build(&keys, top, block);
        assert_same_index((&ours_k, &ours_v), (&k, &v), &what);
        assert_eq!(long(&ours_k, 37), partition.rows as i64 - 1);

        let (mut writer, patches) = BitmapWriter::create("p", column, -1, block);
        let mut ours = Directory::default();
        ours.write(&patches);
        for (part, first) in keys.chunks(23).zip((top..).step_by(23)) {
            ours.write(&writer.append(part, first));
        }
        let (k, v) = (&ours.0[&format!("p/{column}.k")], &ours.0[&format!("p/{column}.v")]);
        assert_eq!((k, v), (&ours_k, &ours_v), "{what}: in parts");
    }
}

/// Every state in which a crash can leave a directory, a patch cut at 32 bytes included, lists what it listed
/// before below `limit`; and who opens it there can go on.
fn check_crashes(
    before: &Directory,
    patches: &[Patch],
    names: (&str, &str),
    limit: i64,
    open: impl Fn(&MemoryFiles) -> Vec<Patch>,
    want_after: &BTreeMap<u64, Vec<i64>>,
    all: &BTreeMap<u64, Vec<i64>>,
) {
    let mut directory = before.clone();
    let check = |directory: &Directory, want: &BTreeMap<u64, Vec<i64>>, limit: i64| {
        let (k, v) = (&directory.0[names.0], &directory.0[names.1]);
        assert!(k.len() >= 64 + 32 * int(k, 21) as usize && v.len() as i64 >= long(k, 9));
        for (key, values) in want {
            assert_eq!(&backwards(k, v, *key, limit), values, "key {key} backwards");
            assert_eq!(&forwards(k, v, *key, limit), values, "key {key} forwards");
        }
    };
    for patch in patches {
        let torn = patch.bytes.len() / 64 * 32;
        let mut cut = directory.clone();
        // Only a patch of several entries can be cut.
        if patch.file == names.0 && patch.offset >= 64 {
            cut.write(&[Patch::new(&patch.file, patch.offset, patch.bytes[..torn].to_vec())]);
        }
        check(&cut, want_after, limit);
        let again = open(&cut.files());
        cut.write(&again);
        check(&cut, all, i64::MAX);
        directory.write(std::slice::from_ref(patch));
        check(&directory, want_after, limit);
    }
    let again = open(&directory.files());
    directory.write(&again);
    check(&directory, all, i64::MAX);
}

fn lists(keys: &[i32]) -> BTreeMap<u64, Vec<i64>> {
    let mut lists: BTreeMap<u64, Vec<i64>> = BTreeMap::new();
    for (row, key) in keys.iter().enumerate() {
        lists.entry((*key).max(-1).wrapping_add(1) as u64).or_default().push(row as i64);
    }
    lists
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn an_index_survives_a_crash_anywhere(
        parts in prop::collection::vec(prop::collection::vec(-1i32..12, 0..40), 2..6),
        block in 1u32..9,
    ) {
        let (mut writer, patches) = BitmapWriter::create("p", "s", 3, block);
        let mut directory = Directory::default();
        directory.write(&patches);
        let mut rows: Vec<i32> = Vec::new();
        for part in &parts {
            let before = rows.len();
            let old = (0..14).map(|key| (key, lists(&rows).remove(&key).unwrap_or_default())).collect();
            let patches = writer.append(part, before as u64);
            rows.extend(part);
            let new = lists(&rows);
            check_crashes(&directory, &patches, ("p/s.k.3", "p/s.v.3"), before as i64, |files| {
                let mut writer = BitmapWriter::open(files, "t", "p", "s", 3, before as u64).unwrap();
                writer.append(part, before as u64)
            }, &old, &new);
            directory.write(&patches);
        }
    }

    #[test]
    fn a_dictionary_survives_a_crash_anywhere(
        sizes in prop::collection::vec(0usize..30, 2..5),
        capacity in 1u32..40,
        salt in 0u32..1000,
    ) {
        let (mut writer, patches) = DictionaryWriter::create("s", -1, capacity, true);
        let mut directory = Directory::default();
        directory.write(&patches);
        let mask = ((capacity / 2).next_power_of_two() - 1).max(1) as u64;
        let hash = |text: &str| text.encode_utf16().fold(0i32, |h, u| h.wrapping_mul(31).wrapping_add(u.into()));
        let bucket = |text: &str| (hash(text) & 0x0fff_ffff) as u64 & mask;
        let buckets = |all: &[String]| {
            let mut lists: BTreeMap<u64, Vec<i64>> = (0..=mask).map(|key| (key, Vec::new())).collect();
            for (key, text) in all.iter().enumerate() {
                lists.get_mut(&bucket(text)).unwrap().push(64 + 8 * key as i64);
            }
            lists
        };
        let mut all: Vec<String> = Vec::new();
        for size in sizes {
            let new: Vec<String> = (all.len()..all.len() + size).map(|n| format!("é{salt}-{n}")).collect();
            let new_refs: Vec<&str> = new.iter().map(String::as_str).collect();
            let (count, old) = (all.len() as u32, buckets(&all));
            all.extend(new.clone());
            let patches = writer.append(&new_refs, size % 2 == 0);
            check_crashes(&directory, &patches, ("s.k", "s.v"), 64 + 8 * i64::from(count), |files| {
                let known = strings(read_table_symbols(files, "t", "s", None, count).unwrap());
                assert_eq!(known, all[..count as usize]);
                let mut writer = DictionaryWriter::open(files, "t", "s", -1, count).unwrap();
                writer.append(&new_refs, false)
            }, &old, &buckets(&all));
            directory.write(&patches);
            let found = read_table_symbols(&directory.files(), "t", "s", None, all.len() as u32).unwrap();
            prop_assert_eq!(&strings(found), &all);
        }
        if let Some(wanted) = writer.wanted_capacity() {
            let refs: Vec<&str> = all.iter().map(String::as_str).collect();
            let (bigger, patches) = writer.rebuild(7, wanted, &refs);
            directory.write(&patches);
            prop_assert!(wanted > writer.capacity() && bigger.count() == writer.count());
            let reopened = DictionaryWriter::open(&directory.files(), "t", "s", 7, bigger.count()).unwrap();
            prop_assert_eq!(reopened.capacity(), wanted);
        }
    }
}

fn strings(symbols: Vec<SymbolText>) -> Vec<String> {
    symbols.iter().map(|symbol| symbol.to_string()).collect()
}

#[test]
fn hostile_files_are_refused_or_read_without_a_panic() {
    let (k, v) = BitmapWriter::build(&[0, 1, 0, 2, 0, 0, -1, 0, 0], 0, 2);
    for at in 0..k.len() {
        for flip in [1u8, 0x80, 0xff] {
            let mut files = MemoryFiles::default();
            let mut bad = k.clone();
            bad[at] ^= flip;
            files.insert("t/p/s.k", bad);
            files.insert("t/p/s.v", v.clone());
            if let Ok(mut writer) = BitmapWriter::open(&files, "t", "p", "s", -1, 3) {
                writer.append(&[1, 2], 3);
            }
        }
    }
    for at in 0..v.len() {
        let mut files = MemoryFiles::default();
        let mut bad = v.clone();
        bad[at] ^= 0xff;
        files.insert("t/p/s.k", k.clone());
        files.insert("t/p/s.v", bad);
        let _ = BitmapWriter::open(&files, "t", "p", "s", -1, 3).map(|mut writer| writer.append(&[1, 2], 3));
    }
}
