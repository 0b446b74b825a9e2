//! A collector for a benchmark, in a process of its own: it prints where it listens, then answers every line that it reads with the
//! number of spans that it has been sent, and ends with its input.
#![allow(
    clippy::print_stdout,
    reason = "what it prints is what it is started for"
)]

use crispy_testbed::OtlpReceiver;

fn main() {
    let receiver = OtlpReceiver::start();
    println!("{}", receiver.url());
    for _ in std::io::stdin().lines().map_while(Result::ok) {
        println!("{}", receiver.spans().len());
    }
}
