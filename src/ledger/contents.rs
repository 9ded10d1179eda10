//! The table of contents of a pack, to bytes and back. `docs/format.md` has it byte by byte.

use super::block::{Block, Held};
use super::codec::Codec;
use super::encode::Out;
use super::error::at_most;
use super::object::{HEAD_BYTES, array, sum};
use super::pack::{
    ANSWER_BYTES_MAX, FilePiece, NAME_BYTES_MAX, PATH_BYTES_MAX, Pack, RECORD_BYTES_MAX, RequestAnswer, Run,
    TableEntry, Token, WHY_BYTES_MAX, What,
};
use super::{Error, Result};
use crate::table::Digest;
use crate::wal::{Cursor, TableKind};
use bytes::Bytes;

/// The least bytes of an item, so that counts can't promise more than there is.
const TABLE_MIN: usize = 15;
const RECORD_MIN: usize = 4;
const PIECE_MIN: usize = 34;
const DIGEST_BYTES: usize = 24;
const ANSWER_MIN: usize = 13;

/// The table of contents and the blocks behind it.
pub(super) fn write(key: &str, pack: &Pack) -> Result<(Vec<u8>, Vec<Bytes>)> {
    let mut writer = Writer { key, out: Out::default(), blocks: Vec::new() };
    writer.out.count(pack.tables.len());
    for table in &pack.tables {
        writer.token(&table.token)?;
        writer.what(&table.what)?;
    }
    writer.text("the handover", pack.handover.as_deref().unwrap_or_default(), NAME_BYTES_MAX)?;
    writer.out.count(pack.answers.len());
    for answer in &pack.answers {
        writer.out.u64(answer.request);
        writer.out.u8(u8::from(answer.done));
        writer.text("an answer", &answer.text, ANSWER_BYTES_MAX)?;
    }
    Ok((writer.out.0, writer.blocks))
}

/// The contents of `bytes`; `blocks` begin at `offset` of the object and must be used up.
pub(super) fn read(key: &str, bytes: &[u8], blocks: &Bytes, offset: u64) -> Result<Pack> {
    let cursor = Cursor::new(key, HEAD_BYTES as u64, bytes);
    let mut reader = Reader { key, cursor, blocks, used: 0, offset };
    let mut pack = Pack::default();
    let tables = reader.cursor.count(TABLE_MIN, "tables")?;
    pack.tables.reserve_exact(tables);
    for _ in 0..tables {
        pack.tables.push(TableEntry { token: reader.token()?, what: reader.what()? });
    }
    pack.handover = Some(reader.text("the handover", NAME_BYTES_MAX)?).filter(|name| !name.is_empty());
    let answers = reader.cursor.count(ANSWER_MIN, "answers")?;
    pack.answers.reserve_exact(answers);
    for _ in 0..answers {
        pack.answers.push(RequestAnswer {
            request: reader.cursor.u63("the request answered")?,
            done: reader.flag("whether it is done")?,
            text: reader.text("an answer", ANSWER_BYTES_MAX)?,
        });
    }
    if reader.cursor.remaining() > 0 {
        return Err(reader.cursor.damaged("the end of the contents", "more bytes").into());
    }
    if reader.used != blocks.len() {
        let at = offset + reader.used as u64;
        return Err(Error::damaged(key, at, "the end of the blocks", "bytes that no entry names"));
    }
    Ok(pack)
}

struct Writer<'a> {
    key: &'a str,
    out: Out,
    blocks: Vec<Bytes>,
}

impl Writer<'_> {
    fn text(&mut self, what: &'static str, text: &str, most: u64) -> Result<()> {
        at_most(self.key, what, text.len() as u64, most)?;
        self.out.text(text);
        Ok(())
    }

    fn token(&mut self, token: &Token) -> Result<()> {
        check_path(self.key, 0, &token.dir, 1)?;
        self.text("a table's directory", &token.dir, NAME_BYTES_MAX)?;
        self.out.i32(token.id);
        self.text("a table's name", &token.name, NAME_BYTES_MAX)?;
        self.out.u8(match token.kind {
            TableKind::Plain => 0,
            TableKind::Wal => 1,
            TableKind::MatView => 2,
            TableKind::View => 3,
        });
        Ok(())
    }

    fn what(&mut self, what: &What) -> Result<()> {
        match what {
            What::Transactions(run) => {
                self.out.u8(1);
                self.run(run)?;
            }
            What::Created { files } => {
                self.out.u8(2);
                self.files(files)?;
            }
            What::Renamed { to } => {
                self.out.u8(3);
                self.text("a table's name", to, NAME_BYTES_MAX)?;
            }
            What::Dropped => self.out.u8(4),
            What::Base { seq_txn, manifest, manifest_len, why } => {
                self.out.u8(5);
                self.out.u64(*seq_txn);
                self.out.sum(*manifest);
                self.out.u64(*manifest_len);
                self.text("why there is a base", why, WHY_BYTES_MAX)?;
            }
            What::Digests { digests } => {
                self.out.u8(6);
                self.out.count(digests.len());
                for (seq_txn, digest) in digests {
                    self.out.u64(*seq_txn);
                    self.out.id(digest.0);
                }
            }
        }
        Ok(())
    }

    fn run(&mut self, run: &Run) -> Result<()> {
        self.out.u64(run.first_seq_txn);
        self.out.u32(run.part_size);
        self.out.count(run.records.len());
        for record in &run.records {
            at_most(self.key, "a record's length", record.len() as u64, RECORD_BYTES_MAX)?;
            self.out.bytes(record);
        }
        self.files(&run.files)
    }

    fn files(&mut self, files: &[FilePiece]) -> Result<()> {
        self.out.count(files.len());
        for piece in files {
            check_path(self.key, 0, &piece.path, usize::MAX)?;
            self.text("a file's path", &piece.path, PATH_BYTES_MAX)?;
            self.out.u64(piece.offset);
            self.block(&piece.block)?;
        }
        Ok(())
    }

    fn block(&mut self, block: &Block) -> Result<()> {
        block.check(self.key)?;
        self.out.u8(block.codec as u8);
        self.out.u8(u8::from(matches!(block.held, Held::Blob(_))));
        self.out.u64(block.raw_len);
        self.out.u64(block.stored_len);
        self.out.u32(block.crc);
        match &block.held {
            Held::Inline(bytes) => self.blocks.push(bytes.clone()),
            Held::Blob(sum) => self.out.sum(*sum),
        }
        Ok(())
    }
}

struct Reader<'a> {
    key: &'a str,
    cursor: Cursor<'a>,
    blocks: &'a Bytes,
    /// How many bytes of the blocks have been given out.
    used: usize,
    offset: u64,
}

impl Reader<'_> {
    /// One text for each content: a flag is 0 or 1, so that what is read is written as the same bytes.
    fn flag(&mut self, what: &str) -> Result<bool> {
        match self.byte(what)? {
            0 => Ok(false),
            1 => Ok(true),
            other => Err(self.cursor.damaged_back(1, format_args!("{what}: 0 or 1"), other).into()),
        }
    }

    fn byte(&mut self, what: &str) -> Result<u8> {
        let [byte] = array(&mut self.cursor, what)?;
        Ok(byte)
    }

    fn bytes(&mut self, what: &'static str, most: u64) -> Result<&[u8]> {
        let len = self.cursor.u31(what)?;
        at_most(self.key, what, len.into(), most)?;
        Ok(self.cursor.take(len as usize, what)?)
    }

    fn text(&mut self, what: &'static str, most: u64) -> Result<String> {
        let offset = self.cursor.offset();
        let key = self.key;
        match std::str::from_utf8(self.bytes(what, most)?) {
            Ok(text) => Ok(text.to_owned()),
            Err(error) => Err(Error::damaged(key, offset, format_args!("{what} in UTF-8"), error)),
        }
    }

    fn token(&mut self) -> Result<Token> {
        let offset = self.cursor.offset();
        let dir = self.text("a table's directory", NAME_BYTES_MAX)?;
        check_path(self.key, offset, &dir, 1)?;
        let id = self.cursor.i32("a table's id")?;
        let name = self.text("a table's name", NAME_BYTES_MAX)?;
        let kind = match self.byte("a table's kind")? {
            0 => TableKind::Plain,
            1 => TableKind::Wal,
            2 => TableKind::MatView,
            3 => TableKind::View,
            other => return Err(self.unknown("a table of kind", other)),
        };
        Ok(Token { dir, id, name, kind })
    }

    fn what(&mut self) -> Result<What> {
        Ok(match self.byte("what happened to a table")? {
            1 => What::Transactions(self.run()?),
            2 => What::Created { files: self.files()? },
            3 => What::Renamed { to: self.text("a table's name", NAME_BYTES_MAX)? },
            4 => What::Dropped,
            5 => What::Base {
                seq_txn: self.cursor.u63("the base's transaction")?,
                manifest: sum(&mut self.cursor, "the base's manifest")?,
                manifest_len: self.cursor.u63("the manifest's length")?,
                why: self.text("why there is a base", WHY_BYTES_MAX)?,
            },
            6 => self.digests()?,
            other => return Err(self.unknown("a table entry of kind", other)),
        })
    }

    fn run(&mut self) -> Result<Run> {
        let first_seq_txn = self.cursor.u63("the first transaction")?;
        let part_size = self.cursor.u31("transactions in a part of the log")?;
        let count = self.cursor.count(RECORD_MIN, "records")?;
        let mut records = Vec::with_capacity(count);
        for _ in 0..count {
            records.push(Bytes::copy_from_slice(self.bytes("a record's length", RECORD_BYTES_MAX)?));
        }
        Ok(Run { first_seq_txn, part_size, records, files: self.files()? })
    }

    fn digests(&mut self) -> Result<What> {
        let count = self.cursor.count(DIGEST_BYTES, "digests")?;
        let mut digests = Vec::with_capacity(count);
        for _ in 0..count {
            let seq_txn = self.cursor.u63("a digest's transaction")?;
            digests.push((seq_txn, Digest(u128::from_be_bytes(array(&mut self.cursor, "a digest")?))));
        }
        Ok(What::Digests { digests })
    }

    fn files(&mut self) -> Result<Vec<FilePiece>> {
        let count = self.cursor.count(PIECE_MIN, "pieces of files")?;
        let mut files = Vec::with_capacity(count);
        for _ in 0..count {
            let at = self.cursor.offset();
            let path = self.text("a file's path", PATH_BYTES_MAX)?;
            check_path(self.key, at, &path, usize::MAX)?;
            let offset = self.cursor.u63("where a piece begins")?;
            files.push(FilePiece { path, offset, block: self.block()? });
        }
        Ok(files)
    }

    fn block(&mut self) -> Result<Block> {
        let codec = self.byte("a block's codec")?;
        let codec = Codec::of(codec).ok_or_else(|| self.unknown("codec", codec))?;
        let by_reference = self.flag("where a block is")?;
        let raw_len = self.cursor.u63("a block's length")?;
        let stored_len = self.cursor.u63("a block's stored length")?;
        let crc = u32::from_le_bytes(array(&mut self.cursor, "a block's CRC")?);
        let (held, offset) = if by_reference {
            (Held::Blob(sum(&mut self.cursor, "a blob's hash")?), 0)
        } else {
            let offset = self.offset + self.used as u64;
            (Held::Inline(self.inline(stored_len, crc)?), offset)
        };
        let block = Block { codec, raw_len, stored_len, crc, held, offset };
        block.check(self.key)?;
        Ok(block)
    }

    /// The next bytes of the blocks.
    fn inline(&mut self, len: u64, crc: u32) -> Result<Bytes> {
        let left = self.blocks.len() - self.used;
        let len = usize::try_from(len).unwrap_or(usize::MAX);
        let at = self.offset + self.used as u64;
        if len > left {
            return Err(Error::damaged(self.key, at, format_args!("a block of {len} bytes"), left));
        }
        let bytes = self.blocks.slice(self.used..self.used + len);
        let found = crc32c::crc32c(&bytes);
        if found != crc {
            return Err(Error::damaged(
                self.key,
                at,
                format_args!("a block of CRC {crc:08x}"),
                format_args!("{found:08x}"),
            ));
        }
        self.used += len;
        Ok(bytes)
    }

    fn unknown(&self, what: &str, byte: u8) -> Error {
        self.cursor.unsupported_back(1, format_args!("{what} {byte}")).into()
    }
}

/// Refuses what would not stay inside a directory when used as a path, or means something else elsewhere.
pub(super) fn check_path(key: &str, offset: u64, path: &str, components_max: usize) -> Result<()> {
    let fits = |part: &str| !part.is_empty() && part != "." && part != "..";
    let plain = !path.chars().any(|c| c == '\\' || c.is_control());
    if plain && path.split('/').all(fits) && path.split('/').count() <= components_max {
        return Ok(());
    }
    let expected = if components_max == 1 { "a directory's name" } else { "a path inside a directory" };
    Err(Error::damaged(key, offset, expected, format_args!("{path:?}")))
}
