//! How many messages stand in one another: what no decoder would take is refused while it is read.

use super::{Problem, Reader, Result};
use crate::codec::wire::DEPTH_MAX;

impl Reader<'_, '_> {
    /// Goes into a message, a group or an entry of a map. What fails ends the body, so nothing is put back then.
    #[inline(always)]
    pub(super) fn enter(&mut self) -> Result<()> {
        if self.depth_left == 0 {
            return Err(self.too_deep());
        }
        self.depth_left -= 1;
        Ok(())
    }

    /// Comes out of it.
    #[inline(always)]
    pub(super) fn leave(&mut self) {
        self.depth_left += 1;
    }

    #[cold]
    fn too_deep(&self) -> Box<Problem> {
        let text = format!("nested deeper than {DEPTH_MAX} messages, as protobuf counts them");
        Problem::new(self.tokens.at(), text)
    }
}
