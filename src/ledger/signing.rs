//! Ed25519 signatures of objects.

use super::{Object, Sign, Sum};
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};

/// Signs objects with a secret key.
pub struct Signer(SigningKey);

/// The secret key is not shown.
impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Signer").finish_non_exhaustive()
    }
}

impl Signer {
    /// A signer with this secret key: 32 random bytes.
    ///
    /// ```
    /// use understudy::ledger::{ClusterId, Dir, Head, Kind, Object, Place, Signer, Sum, Term, WriterId, verify};
    /// let signer = Signer::new(&[7; 32]);
    /// let place = Place { dir: Dir { term: Term(1), writer: WriterId(1) }, n: 0 };
    /// let head = Head { cluster: ClusterId(9), place, committed_us: 0, before: Sum::ZERO, kind: Kind::Pack };
    /// let object = Object::bare(head, Some(&signer));
    /// assert!(verify(&object, &signer.public()));
    /// assert!(!verify(&object, &Signer::new(&[8; 32]).public()));
    /// ```
    pub fn new(secret: &[u8; 32]) -> Self {
        Self(SigningKey::from_bytes(secret))
    }

    /// The public key that goes with it.
    pub fn public(&self) -> [u8; 32] {
        self.0.verifying_key().to_bytes()
    }
}

impl Sign for Signer {
    fn sign(&self, sum: Sum) -> [u8; 64] {
        self.0.sign(&sum.0).to_bytes()
    }
}

/// Whether the object has a signature, and it is this key's.
pub fn verify(object: &Object, public: &[u8; 32]) -> bool {
    let Some(signature) = object.signature() else { return false };
    VerifyingKey::from_bytes(public)
        .is_ok_and(|key| key.verify_strict(&object.sum().0, &Signature::from_bytes(signature)).is_ok())
}
