//! An object of the replicated log, and contents of a pack whose hash is right.
#![no_main]

use libfuzzer_sys::fuzz_target;
use understudy::ledger::{ClusterId, Dir, Head, Kind, Object, Place, Sum, Term, What, WriterId};
use understudy_fuzz::within_memory;

const HEAD_BYTES: usize = 128;
const SUM_BYTES: usize = 32;

fuzz_target!(|bytes: &[u8]| {
    let place = Place { dir: Dir { term: Term(1), writer: WriterId(1) }, n: 0 };
    let _ = within_memory(bytes.len(), || Object::read(place, bytes.to_vec().into()));

    // The input begins with how much of it is the table of contents.
    let Some((len, rest)) = bytes.split_first_chunk::<2>() else { return };
    let contents = usize::from(u16::from_le_bytes(*len)).min(rest.len());
    let head = Head { cluster: ClusterId(1), place, committed_us: 0, before: Sum::ZERO, kind: Kind::Pack };
    let mut object = Object::bare(head, None).bytes()[..HEAD_BYTES].to_vec();
    object[12..16].copy_from_slice(&(contents as u32).to_le_bytes());
    object.extend_from_slice(rest);
    let sum = Sum::of(&object);
    object.extend_from_slice(&sum.0);
    assert_eq!(object.len(), HEAD_BYTES + rest.len() + SUM_BYTES);

    let object = Object::read(place, object.into()).expect("its hash is right");
    let Ok(pack) = within_memory(rest.len(), || object.pack()) else { return };
    let again = pack.encode(head, None).expect("what was read can be written");
    assert_eq!(again.bytes(), object.bytes());
    for entry in &pack.tables {
        if let What::Created { files } = &entry.what {
            for piece in files {
                let _ = piece.block.unpack(place.key());
            }
        }
    }
});
