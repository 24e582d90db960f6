//! A request that is read and written says the same when it is read again.
#![no_main]

use adapter_providers::openai::request;
use bytes::Bytes;
use gateway_domain::ModelCall;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Ok(call) = ModelCall::chat(Bytes::copy_from_slice(data))
        && let Ok(read) = request::read(&call)
    {
        let written = request::write(&read);
        let again = ModelCall::chat(written).expect("what was written is a request");
        assert_eq!(request::read(&again).expect("it can be read"), read);
    }
    if let Ok(call) = ModelCall::embeddings(Bytes::copy_from_slice(data))
        && let Ok(read) = request::read_embeddings(&call)
    {
        let written = request::write_embeddings(&read);
        let again = ModelCall::embeddings(written).expect("what was written is a request");
        assert_eq!(request::read_embeddings(&again).expect("it can be read"), read);
    }
});
