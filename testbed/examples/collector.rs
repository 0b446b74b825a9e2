//! A collector for a benchmark, in a process of its own.
//!
//! It prints its address, answers every line of its input with the number of spans received so far,
//! and ends with its input.
#![allow(clippy::print_stdout, reason = "its output is its purpose")]

use crispy_testbed::OtlpReceiver;

fn main() {
    let receiver = OtlpReceiver::start();
    println!("{}", receiver.url());
    for _ in std::io::stdin().lines().map_while(Result::ok) {
        println!("{}", receiver.spans().len());
    }
}
