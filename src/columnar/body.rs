use arrow::error::ArrowError;
use arrow::ipc::{Buffer, FieldNode};

/// Where buffers begin: a multiple of this, as Arrow recommends.
pub(super) const ALIGNMENT: usize = 64;

/// The values of a message's columns in Arrow's layout, column after column: per array its length, then
/// validity and what else its type has.
#[derive(Default)]
pub(super) struct Body {
    pub(super) nodes: Vec<FieldNode>,
    pub(super) buffers: Vec<Buffer>,
    pub(super) bytes: Vec<u8>,
}

impl Body {
    /// Begins an array; what follows are its other buffers.
    pub(super) fn array(&mut self, rows: usize, valid: &Bits) {
        let nulls = rows - valid.ones;
        self.nodes.push(FieldNode::new(rows as i64, nulls as i64));
        // Where nothing is null the bits may be left out.
        self.buffer(if nulls == 0 { &[] } else { &valid.bytes });
    }

    /// Adds a buffer of the last array.
    pub(super) fn buffer(&mut self, bytes: &[u8]) {
        self.buffers.push(Buffer::new(self.bytes.len() as i64, bytes.len() as i64));
        self.bytes.extend_from_slice(bytes);
        self.bytes.resize(self.bytes.len().next_multiple_of(ALIGNMENT), 0);
    }
}

/// Bits, least significant first.
#[derive(Default)]
pub(super) struct Bits {
    pub(super) bytes: Vec<u8>,
    len: usize,
    ones: usize,
}

impl Bits {
    pub(super) fn push(&mut self, bit: bool) {
        if self.len.is_multiple_of(8) {
            self.bytes.push(0);
        }
        if let Some(last) = self.bytes.last_mut().filter(|_| bit) {
            *last |= 1 << (self.len % 8);
            self.ones += 1;
        }
        self.len += 1;
    }

    /// As many ones.
    pub(super) fn ones(len: usize) -> Self {
        Self { bytes: Vec::new(), len, ones: len }
    }
}

/// Values of various lengths, one after the other, and where each ends.
pub(super) struct Runs {
    valid: Bits,
    offsets: Vec<u8>,
    values: Vec<u8>,
    rows: usize,
}

impl Runs {
    pub(super) fn new(rows: usize) -> Self {
        let mut offsets = Vec::with_capacity(rows.saturating_add(1).saturating_mul(4));
        offsets.extend_from_slice(&0i32.to_le_bytes());
        Self { valid: Bits::default(), offsets, values: Vec::new(), rows: 0 }
    }

    /// Appends a value; `None` is null.
    ///
    /// # Errors
    /// More than the 2 GiB that offsets of 32 bits reach.
    pub(super) fn push(&mut self, value: Option<&[u8]>) -> Result<(), ArrowError> {
        self.valid.push(value.is_some());
        self.values.extend_from_slice(value.unwrap_or_default());
        self.offsets.extend_from_slice(&offset(self.values.len())?);
        self.rows += 1;
        Ok(())
    }

    pub(super) fn write(&self, body: &mut Body) {
        body.array(self.rows, &self.valid);
        body.buffer(&self.offsets);
        body.buffer(&self.values);
    }
}

/// An offset as Arrow stores it.
///
/// # Errors
/// More than 2^31 - 1.
pub(super) fn offset(len: usize) -> Result<[u8; 4], ArrowError> {
    i32::try_from(len).map(i32::to_le_bytes).ok().ok_or(ArrowError::OffsetOverflowError(len))
}
