//! Tests of the use cases on mocks and fakes.
