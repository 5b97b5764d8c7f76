//! What the benches stand on. The criterion benches need nothing but the crates they measure; the load test is here.

pub mod load;
