//! RFC 6455, section by section: each MUST and SHOULD that binds an endpoint is a test, whose name states the rule.
//!
//! Frames are built and read by hand ([`wire`]), and so are HTTP heads ([`http`]), so that our codec is not its own
//! witness. Each module begins with what its section requires of others than us, and why it does not concern us.
//! Sections 1, 2, 12 and 13 require nothing of an endpoint that another section does not repeat, and §4.3 is the
//! grammar of §4.1 and §4.2.

mod http;
mod wire;

mod section_10;
mod section_11_3;
mod section_3;
mod section_4_1;
mod section_4_2;
mod section_4_4;
mod section_5_1;
mod section_5_2;
mod section_5_3;
mod section_5_4;
mod section_5_5;
mod section_5_5_1;
mod section_5_5_2;
mod section_5_5_3;
mod section_5_6;
mod section_5_7;
mod section_5_8;
mod section_6_1;
mod section_6_2;
mod section_7_1;
mod section_7_2;
mod section_7_3;
mod section_7_4;
mod section_8_1;
mod section_9_1;
