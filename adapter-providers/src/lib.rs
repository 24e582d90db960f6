//! The providers as codecs: bytes in, bytes out.
