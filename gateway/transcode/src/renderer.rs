//! What is left of a route once its call is under way: how to write the answers. It owns what it needs, so that the
//! body of a stream can keep it for as long as the stream lasts, whatever became of the schema meanwhile.

use std::sync::Arc;

use prost_reflect::FieldDescriptor;

use crate::codec::RenderError;
use crate::method::Method;
use crate::schema::Schema;

/// Writes the answers of one call.
#[derive(Debug)]
pub struct Renderer {
    pub(crate) schema: Arc<Schema>,
    pub(crate) method: Arc<Method>,
    pub(crate) response_body: Option<FieldDescriptor>,
}

impl Renderer {
    /// The same as [`crate::Matched::render`], always on one line.
    ///
    /// # Errors
    /// Bytes that are no such message, a value without a JSON form, or JSON that is larger than it may be.
    pub fn render(&self, message: &[u8], out: &mut Vec<u8>) -> Result<(), RenderError> {
        let field = self.response_body.as_ref();
        self.method.render(self.schema.codec(), field, message, out)
    }

    /// The same as [`Method::put_sse_id`].
    pub fn put_sse_id(&self, message: &[u8], id: &mut Vec<u8>) -> bool {
        self.method.put_sse_id(message, id)
    }
}
