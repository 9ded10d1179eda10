//! The frame around a message of Arrow's IPC format: <https://arrow.apache.org/docs/format/Columnar.html>.
//!
//! Arrow's own writer takes arrays, and those of all types, with what prints and compares them, are a
//! quarter of a module that fetches rows for a page. The rows are laid out here; the tables of the
//! messages are Arrow's.

use super::body::{ALIGNMENT, Body};
use arrow::datatypes::Schema;
use arrow::ipc::writer::{DictionaryTracker, IpcDataGenerator, IpcWriteOptions};
use arrow::ipc::{
    DictionaryBatchBuilder, MessageBuilder, MessageHeader, MetadataVersion, RecordBatch, RecordBatchBuilder,
};
use flatbuffers::{FlatBufferBuilder, UnionWIPOffset, WIPOffset};

const CONTINUES: [u8; 4] = [0xff; 4];
/// The end of a stream.
pub(super) const END: [u8; 8] = [0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0];

/// The first message of a stream.
pub(super) fn schema(schema: &Schema) -> Vec<u8> {
    let mut dictionaries = DictionaryTracker::new(false);
    let options = IpcWriteOptions::default();
    let message = IpcDataGenerator::default().schema_to_bytes_with_dictionary_tracker(
        schema,
        &mut dictionaries,
        &options,
    );
    frame(&message.ipc_message, &[])
}

/// The strings of the `id`th column with a dictionary.
pub(super) fn dictionary(id: i64, rows: usize, body: &Body) -> Vec<u8> {
    let mut table = FlatBufferBuilder::new();
    let data = record_batch(&mut table, rows, body);
    let mut batch = DictionaryBatchBuilder::new(&mut table);
    batch.add_id(id);
    batch.add_data(data);
    let header = batch.finish().as_union_value();
    message(table, MessageHeader::DictionaryBatch, header, body)
}

/// A batch of rows.
pub(super) fn rows(rows: usize, body: &Body) -> Vec<u8> {
    let mut table = FlatBufferBuilder::new();
    let header = record_batch(&mut table, rows, body).as_union_value();
    message(table, MessageHeader::RecordBatch, header, body)
}

fn record_batch<'a>(
    table: &mut FlatBufferBuilder<'a>,
    rows: usize,
    body: &Body,
) -> WIPOffset<RecordBatch<'a>> {
    let nodes = table.create_vector(&body.nodes);
    let buffers = table.create_vector(&body.buffers);
    let mut batch = RecordBatchBuilder::new(table);
    batch.add_length(rows as i64);
    batch.add_nodes(nodes);
    batch.add_buffers(buffers);
    batch.finish()
}

fn message(
    mut table: FlatBufferBuilder<'_>,
    kind: MessageHeader,
    header: WIPOffset<UnionWIPOffset>,
    body: &Body,
) -> Vec<u8> {
    let mut message = MessageBuilder::new(&mut table);
    message.add_version(MetadataVersion::V5);
    message.add_header_type(kind);
    message.add_bodyLength(body.bytes.len() as i64);
    message.add_header(header);
    let root = message.finish();
    table.finish(root, None);
    frame(table.finished_data(), &body.bytes)
}

/// A message's table, padded so that the body is aligned, and the body.
fn frame(table: &[u8], body: &[u8]) -> Vec<u8> {
    let head = (table.len() + 8).next_multiple_of(ALIGNMENT);
    let mut bytes = Vec::with_capacity(head + body.len());
    bytes.extend_from_slice(&CONTINUES);
    bytes.extend_from_slice(&(head as i32 - 8).to_le_bytes());
    bytes.extend_from_slice(table);
    bytes.resize(head, 0);
    bytes.extend_from_slice(body);
    bytes
}
